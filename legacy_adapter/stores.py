"""The monolith's two stores, chosen by their URLs, as a service in shared mode opens them."""

from dataclasses import dataclass

from chassis.database.database import Database
from chassis.settings import SettingsInvalid
from legacy_adapter.documents.mongo import MongoDocuments
from legacy_adapter.documents.port import DocumentStore
from legacy_adapter.documents.sqlite import SqliteDocuments


@dataclass(frozen=True, slots=True)
class MonolithStores:
    """`server`: where the documents are, unless they are in the database."""

    database: Database
    documents: DocumentStore
    server: MongoDocuments | None = None

    async def ping(self) -> None:
        """Returns if both answer. Raises StoreUnavailable."""
        await self.database.ping()
        if self.server is not None:
            await self.server.ping()

    async def aclose(self) -> None:
        """Closes every connection."""
        await self.database.aclose()
        if self.server is not None:
            await self.server.aclose()


def opened(database_url: str, documents_url: str | None) -> MonolithStores:
    """Without `documents_url`, the documents are JSON in the SQLite file. Raises SettingsInvalid."""
    database = Database(database_url)
    if documents_url is not None:
        server = MongoDocuments(documents_url)
        return MonolithStores(database, server, server)
    if not database.is_sqlite:
        raise SettingsInvalid("the documents are not in PostgreSQL: wanted a documents URL, mongodb://HOST/NAME")
    return MonolithStores(database, SqliteDocuments(database))
