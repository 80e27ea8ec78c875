"""Learning's port for submissions on the monolith's documents and users."""

import hashlib
import uuid
from typing import Any, Final

from bson import ObjectId
from sqlalchemy import bindparam, select

from chassis.database.database import Database
from chassis.uuid_text import canonical_uuid
from extracted.learning.domain import Unexpected
from extracted.learning.submissions.domain import CodeAttempt, Json, RewardedContent, StoredSubmission
from legacy_adapter.documents.port import Document, DocumentQuery, DocumentStore
from legacy_adapter.learning.collections import COMPONENTS, CONTENTS, SUBMISSIONS, VALIDATORS
from legacy_adapter.tables import users

_USER: Final = select(users.c.id).where(users.c.id == bindparam("user", type_=users.c.id.type))


class LegacySubmissions:
    """Implements the port SubmissionStore."""

    def __init__(self, database: Database, documents: DocumentStore) -> None:
        self._database = database
        self._documents = documents

    async def component(self, component_id: str) -> Json | None:
        """None: there is none."""
        return await self._documents.find_one(COMPONENTS, component_id)

    async def validator(self, validator_id: str) -> Json | None:
        """None: there is none."""
        return await self._documents.find_one(VALIDATORS, validator_id)

    async def content(self, content_id: str) -> RewardedContent | None:
        """Raises Unexpected if its root is gone."""
        content = await self._documents.find_one(CONTENTS, content_id)
        if content is None:
            return None
        root_id = content.get("rootComponent")
        roots = await self._documents.find_by_object_id(COMPONENTS, [root_id]) if isinstance(root_id, ObjectId) else {}
        if not roots:
            raise Unexpected("the content's root is gone")
        (root,) = roots.values()
        return RewardedContent(content.get("reward"), _children(root))

    async def has_user(self, user_id: str) -> bool:
        """False: the user is deleted."""
        if canonical_uuid(user_id) != user_id:
            return False
        async with self._database.look() as connection:
            return await connection.scalar(_USER, {"user": user_id}) is not None

    async def find(self, user_id: str, component_id: str) -> StoredSubmission | None:
        """The first one, as in the monolith."""
        found = await self._found(user_id, component_id)
        return None if found is None else _submission(found)

    async def attempted(self, user_id: str, component_id: str, attempt: CodeAttempt) -> StoredSubmission:
        """A new document's `_id` follows from user and component, so that of two at once one creates it."""
        found = await self._found(user_id, component_id)
        if found is None:
            ids = {"userId": user_id, "componentId": component_id}
            new = {**ids, "lastAttempt": attempt.stored(), "id": str(uuid.uuid4())}
            found = await self._documents.add_once(SUBMISSIONS, _object_id(user_id, component_id), new)
            if found["id"] == new["id"]:
                return _submission(found)
        changed = await self._documents.set_fields(SUBMISSIONS, found["id"], {"lastAttempt": attempt.stored()})
        return _submission(changed or found)

    async def succeeded(self, submission_id: str, success: CodeAttempt) -> None:
        """Replaces the last success."""
        await self._documents.set_fields(SUBMISSIONS, submission_id, {"lastSuccess": success.stored()})

    async def _found(self, user_id: str, component_id: str) -> Document | None:
        wanted = DocumentQuery({"userId": [user_id], "componentId": [component_id]}, limit=1)
        found = await self._documents.find(SUBMISSIONS, wanted)
        return found[0] if found else None


def _children(root: Document) -> list[Any] | None:
    components = (root.get("data") or {}).get("components")
    return None if components is None else [child.get("id") for child in components if isinstance(child, dict)]


def _submission(document: Document) -> StoredSubmission:
    return StoredSubmission(document["id"], document.get("lastAttempt"), document.get("lastSuccess"))


def _object_id(user_id: str, component_id: str) -> ObjectId:
    return ObjectId(hashlib.sha256(f"submission {user_id} {component_id}".encode()).digest()[:12])
