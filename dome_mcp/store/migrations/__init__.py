"""The tables, one module a migration; a migration that was released is never changed."""
