-- The real monolith's tables as its ORM creates them (PostgreSQL 15, pg_dump), from the project's shared material.

--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: enum_auth_oauth2_client_grants_grant; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_oauth2_client_grants_grant AS ENUM (
    'authorization_code',
    'client_credentials',
    'refresh_token',
    'password',
    'implicit'
);


--
-- Name: enum_auth_oauth2_token_grant_with; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_oauth2_token_grant_with AS ENUM (
    'authorization_code',
    'client_credentials',
    'refresh_token',
    'password',
    'implicit'
);


--
-- Name: enum_auth_oauth2_token_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_oauth2_token_type AS ENUM (
    'access_token',
    'refresh_token'
);


--
-- Name: enum_auth_role_policies_action; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_role_policies_action AS ENUM (
    'manage',
    'create',
    'read',
    'update',
    'delete'
);


--
-- Name: enum_auth_role_policies_resource; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_role_policies_resource AS ENUM (
    'user',
    'user_email',
    'user_settings',
    'module',
    'content',
    'team',
    'team_member',
    'item',
    'transaction',
    'submission'
);


--
-- Name: enum_auth_subject_credentials_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_subject_credentials_type AS ENUM (
    'email_with_password'
);


--
-- Name: enum_auth_subject_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_auth_subject_type AS ENUM (
    'user'
);


--
-- Name: enum_team_members_role; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_team_members_role AS ENUM (
    'captain',
    'member'
);


--
-- Name: enum_user_settings_preferred_language; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.enum_user_settings_preferred_language AS ENUM (
    'en',
    'fr'
);


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: auth_oauth2_client; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_oauth2_client (
    id uuid NOT NULL,
    secret text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_oauth2_client_grants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_oauth2_client_grants (
    id uuid NOT NULL,
    "grant" public.enum_auth_oauth2_client_grants_grant,
    client_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_oauth2_client_redirect_uris; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_oauth2_client_redirect_uris (
    id uuid NOT NULL,
    uri character varying(255),
    client_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    requested_client_id uuid
);


--
-- Name: auth_oauth2_token; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_oauth2_token (
    id uuid NOT NULL,
    hashed_token character varying(255) NOT NULL,
    token_expire_at timestamp with time zone NOT NULL,
    type public.enum_auth_oauth2_token_type NOT NULL,
    grant_with public.enum_auth_oauth2_token_grant_with NOT NULL,
    requested_client_id uuid,
    subject_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_role; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_role (
    id uuid NOT NULL,
    name character varying(255) NOT NULL,
    description character varying(255) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_role_policies; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_role_policies (
    id uuid NOT NULL,
    action public.enum_auth_role_policies_action NOT NULL,
    resource public.enum_auth_role_policies_resource NOT NULL,
    attributes json,
    role_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_subject; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_subject (
    id uuid NOT NULL,
    internal_identifier uuid NOT NULL,
    type public.enum_auth_subject_type NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_subject_credentials; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_subject_credentials (
    id uuid NOT NULL,
    type public.enum_auth_subject_credentials_type NOT NULL,
    identity character varying(255) NOT NULL,
    secret character varying(255) NOT NULL,
    subject_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_subject_roles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.auth_subject_roles (
    id uuid NOT NULL,
    subject_id uuid,
    role_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: team; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.team (
    id uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: team_members; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.team_members (
    id uuid NOT NULL,
    role public.enum_team_members_role DEFAULT 'member'::public.enum_team_members_role NOT NULL,
    team_id uuid,
    user_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: transactions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.transactions (
    id uuid NOT NULL,
    user_id uuid,
    "Object_id" uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);


--
-- Name: user; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."user" (
    id uuid NOT NULL,
    username character varying(255) NOT NULL,
    description text,
    points integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: user_emails; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_emails (
    id uuid NOT NULL,
    email character varying(255) NOT NULL,
    user_id uuid,
    verification_token character varying(255),
    is_verified boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: user_settings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_settings (
    id uuid NOT NULL,
    user_id uuid,
    preferred_editing_language character varying(255),
    preferred_language public.enum_user_settings_preferred_language DEFAULT 'en'::public.enum_user_settings_preferred_language,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: auth_oauth2_client_grants auth_oauth2_client_grants_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client_grants
    ADD CONSTRAINT auth_oauth2_client_grants_pkey PRIMARY KEY (id);


--
-- Name: auth_oauth2_client auth_oauth2_client_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client
    ADD CONSTRAINT auth_oauth2_client_pkey PRIMARY KEY (id);


--
-- Name: auth_oauth2_client_redirect_uris auth_oauth2_client_redirect_uris_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client_redirect_uris
    ADD CONSTRAINT auth_oauth2_client_redirect_uris_pkey PRIMARY KEY (id);


--
-- Name: auth_oauth2_token auth_oauth2_token_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_token
    ADD CONSTRAINT auth_oauth2_token_pkey PRIMARY KEY (id);


--
-- Name: auth_role auth_role_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_role
    ADD CONSTRAINT auth_role_name_key UNIQUE (name);


--
-- Name: auth_role auth_role_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_role
    ADD CONSTRAINT auth_role_pkey PRIMARY KEY (id);


--
-- Name: auth_role_policies auth_role_policies_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_role_policies
    ADD CONSTRAINT auth_role_policies_pkey PRIMARY KEY (id);


--
-- Name: auth_subject_credentials auth_subject_credentials_identity_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_credentials
    ADD CONSTRAINT auth_subject_credentials_identity_key UNIQUE (identity);


--
-- Name: auth_subject_credentials auth_subject_credentials_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_credentials
    ADD CONSTRAINT auth_subject_credentials_pkey PRIMARY KEY (id);


--
-- Name: auth_subject auth_subject_internal_identifier_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject
    ADD CONSTRAINT auth_subject_internal_identifier_key UNIQUE (internal_identifier);


--
-- Name: auth_subject auth_subject_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject
    ADD CONSTRAINT auth_subject_pkey PRIMARY KEY (id);


--
-- Name: auth_subject_roles auth_subject_roles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_roles
    ADD CONSTRAINT auth_subject_roles_pkey PRIMARY KEY (id);


--
-- Name: auth_subject_roles auth_subject_roles_subject_id_role_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_roles
    ADD CONSTRAINT auth_subject_roles_subject_id_role_id_key UNIQUE (subject_id, role_id);


--
-- Name: team_members team_members_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (id);


--
-- Name: team_members team_members_team_id_user_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_user_id_key UNIQUE (team_id, user_id);


--
-- Name: team team_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_name_key UNIQUE (name);


--
-- Name: team team_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_pkey PRIMARY KEY (id);


--
-- Name: transactions transactions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (id);


--
-- Name: user_emails user_emails_email_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_emails
    ADD CONSTRAINT user_emails_email_key UNIQUE (email);


--
-- Name: user_emails user_emails_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_emails
    ADD CONSTRAINT user_emails_pkey PRIMARY KEY (id);


--
-- Name: user_emails user_emails_verification_token_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_emails
    ADD CONSTRAINT user_emails_verification_token_key UNIQUE (verification_token);


--
-- Name: user user_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_pkey PRIMARY KEY (id);


--
-- Name: user_settings user_settings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_settings
    ADD CONSTRAINT user_settings_pkey PRIMARY KEY (id);


--
-- Name: user user_username_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_username_key UNIQUE (username);


--
-- Name: auth_oauth2_client_grants auth_oauth2_client_grants_client_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client_grants
    ADD CONSTRAINT auth_oauth2_client_grants_client_id_fkey FOREIGN KEY (client_id) REFERENCES public.auth_oauth2_client(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_oauth2_client_redirect_uris auth_oauth2_client_redirect_uris_client_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client_redirect_uris
    ADD CONSTRAINT auth_oauth2_client_redirect_uris_client_id_fkey FOREIGN KEY (client_id) REFERENCES public.auth_oauth2_client(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_oauth2_client_redirect_uris auth_oauth2_client_redirect_uris_requested_client_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_client_redirect_uris
    ADD CONSTRAINT auth_oauth2_client_redirect_uris_requested_client_id_fkey FOREIGN KEY (requested_client_id) REFERENCES public.auth_oauth2_client(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_oauth2_token auth_oauth2_token_requested_client_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_token
    ADD CONSTRAINT auth_oauth2_token_requested_client_id_fkey FOREIGN KEY (requested_client_id) REFERENCES public.auth_oauth2_client(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_oauth2_token auth_oauth2_token_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_oauth2_token
    ADD CONSTRAINT auth_oauth2_token_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.auth_subject(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_role_policies auth_role_policies_role_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_role_policies
    ADD CONSTRAINT auth_role_policies_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.auth_role(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: auth_subject_credentials auth_subject_credentials_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_credentials
    ADD CONSTRAINT auth_subject_credentials_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.auth_subject(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: auth_subject_roles auth_subject_roles_role_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_roles
    ADD CONSTRAINT auth_subject_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.auth_role(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: auth_subject_roles auth_subject_roles_subject_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.auth_subject_roles
    ADD CONSTRAINT auth_subject_roles_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.auth_subject(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: team_members team_members_team_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: team_members team_members_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: transactions transactions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT transactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON UPDATE CASCADE ON DELETE CASCADE;


--
-- Name: user_emails user_emails_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_emails
    ADD CONSTRAINT user_emails_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- Name: user_settings user_settings_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_settings
    ADD CONSTRAINT user_settings_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON UPDATE CASCADE ON DELETE SET NULL;


--
-- PostgreSQL database dump complete
--


