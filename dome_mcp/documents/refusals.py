"""The errors that several formats share, each with what to send instead."""

from dome_mcp.core.errors import UnreadableDocument


def damaged(filename: str) -> UnreadableDocument:
    """For bytes that cannot be read as what they are."""
    return UnreadableDocument(
        "corrupt",
        f"{filename!r} is damaged or incomplete.",
        "Open it in the program it comes from, save it again and send that copy.",
    )


def protected(filename: str) -> UnreadableDocument:
    """For a document that only opens with a password."""
    return UnreadableDocument(
        "encrypted",
        f"{filename!r} is protected by a password.",
        "Save it without a password and send that copy.",
    )


def textless(filename: str) -> UnreadableDocument:
    """For a document with nothing in it to read."""
    return UnreadableDocument(
        "empty", f"{filename!r} holds no text.", "Check that it is the file you meant."
    )
