"""A folder of pages for an api under test: little, but one of each type."""

PAGES = ("overview.html", "display.html", "history.html", "admin.html", "login.html")
TYPES = {  # of what stands beside the pages
    "overview.css": "text/css; charset=utf-8",
    "overview.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml; charset=utf-8",
    "icon.png": "image/png",
    "icon.ico": "image/vnd.microsoft.icon",
    "overview.webmanifest": "application/manifest+json",
    "words.json": "application/json",
    "robots.txt": "text/plain; charset=utf-8",
}
NOT_SERVED = (".hidden.html", ".html", "notes.md", "overview.html~", "html")


def page(name, text=""):
    """A page as small as HTML lets it be, and of some size with a text."""
    return f'<!DOCTYPE html>\n<html lang="en"><title>{name}</title><body><p>{text or name}</p></body></html>\n'


def content_of(name):
    """The bytes of a file of the folder."""
    if name.endswith(".html"):
        return page(name, "So many people. " * 200).encode()
    if name.endswith((".png", ".ico")):
        return bytes(range(256)) * 8  # none that a compressor would leave alone
    if name.endswith((".json", ".webmanifest")):
        return b'{"name": "Headcount"}\n'
    return f"/* {name} */\n".encode() * 200


def write_pages(folder):
    """Makes the folder; returns it, for the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*PAGES, *TYPES, *NOT_SERVED):
        (folder / name).write_bytes(content_of(name))
    (folder / "folder.js").mkdir()
    return folder
