"""The language of searches: text → tree → text. Pure; `catalog.search` turns a tree into SQL."""
