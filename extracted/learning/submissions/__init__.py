"""Submissions: code that is run against a component's validators; what is stored of it; its routes."""
