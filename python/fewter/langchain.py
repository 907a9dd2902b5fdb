"""A retriever for LangChain; needs langchain-core (pip install "fewter[langchain]")."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from fewter.table import Table, is_vector


class FewterRetriever(BaseRetriever):
    """The rows nearest to a question as documents, nearest first:

        retriever = FewterRetriever(table=table, embedding=model, text_column="text", k=5)
        retriever.invoke("how do I join two tables?")

    A document's text is what the row has in `text_column`, empty for null. Its metadata are the row's
    `metadata_columns`, by default all but the text and vectors, and `_distance`; its id is the row id, as text, which
    `Table.take` wants as a number. Errors are those of `Table.search` and of the embedding. Safe to use from several
    threads if the embedding is. `ainvoke` waits for neither, and stops the search if its task is cancelled.
    """

    table: Table
    # Of LangChain, or a function that makes a vector of a text.
    embedding: Embeddings | Callable[[str], Any]
    text_column: str
    k: int = 4
    metadata_columns: list[str] | None = None
    # Options of `Table.search`, such as nprobes, refine_factor or filter.
    search_options: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        """`options` are those of a call, `retriever.invoke(question, k=9, filter="lang = 'en'")`."""
        vector = self.embedding.embed_query(query) if isinstance(self.embedding, Embeddings) else self.embedding(query)
        return self._documents(self.table.search(vector, **self._search_arguments(options)))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        if isinstance(self.embedding, Embeddings):
            vector = await self.embedding.aembed_query(query)
        else:
            vector = await asyncio.to_thread(self.embedding, query)
        return self._documents(await self.table.search_async(vector, **self._search_arguments(options)))

    def _search_arguments(self, options: dict[str, Any]) -> dict[str, Any]:
        others = self.metadata_columns
        if others is None:
            others = [one.name for one in self.table.schema if one.name != self.text_column and not is_vector(one.type)]
        columns = [self.text_column, *others, "_distance"]
        return {"k": self.k, "columns": columns, "with_row_id": True, **self.search_options, **options}

    def _documents(self, found: pa.Table) -> list[Document]:
        documents = []
        for row in found.to_pylist():
            text, row_id = row.pop(self.text_column), row.pop("_rowid")
            documents.append(Document(page_content=text or "", metadata=row, id=str(row_id)))
        return documents
