"""Use cases: coroutines that await nothing but ports."""
