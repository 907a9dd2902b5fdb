"""The retriever for LangChain."""

import asyncio

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableLambda

from fewter.langchain import FewterRetriever


class Lookup(Embeddings):
    """The embedding of the text "row N" is the N-th row's vector."""

    def __init__(self, values):
        self.values = values

    def embed_query(self, text):
        return self.values[int(text.split()[1])].tolist()

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


@pytest.fixture
def retriever(table, values):
    return FewterRetriever(table=table, embedding=Lookup(values), text_column="text", k=3)


def test_documents_are_the_nearest_rows(table, retriever, values):
    documents = retriever.invoke("row 12")
    found = table.search(values[12], 3, with_row_id=True)
    assert [document.page_content for document in documents] == [text or "" for text in found["text"].to_pylist()]
    assert documents[0].page_content == "row 12"
    assert documents[0].metadata == {"id": 12, "more": {"half": 6.0, "odd": False}, "_distance": 0.0}
    assert [document.id for document in documents] == [str(id) for id in found["_rowid"].to_pylist()]


def test_options(retriever, table, values):
    few = retriever.model_copy(update={"metadata_columns": ["id"], "search_options": {"filter": "id >= 700"}})
    (document, _) = few.invoke("row 12", k=2)
    assert document.metadata.keys() == {"id", "_distance"}
    assert document.metadata["id"] >= 700
    (document,) = few.invoke("row 12", filter="id = 14")
    assert document.page_content == ""  # It is null.
    by_function = FewterRetriever(table=table, embedding=Lookup(values).embed_query, text_column="text")
    assert len(by_function.invoke("row 12")) == 4
    with pytest.raises(KeyError):
        retriever.model_copy(update={"text_column": "nope"}).invoke("row 12")
    with pytest.raises(TypeError, match="frobnicate"):
        retriever.invoke("row 12", frobnicate=1)


def test_chains_and_batches_and_tasks(retriever):
    chain = retriever | RunnableLambda(lambda documents: documents[0].page_content)
    assert chain.batch(["row 5", "row 6"]) == ["row 5", "row 6"]

    async def ask():
        return await asyncio.gather(*(chain.ainvoke(f"row {number}") for number in (8, 9)))

    assert asyncio.run(ask()) == ["row 8", "row 9"]
