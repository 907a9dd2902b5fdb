"""What the site changes in the pages: links out of docs/ go to the sources, which are no pages of it."""

import re

# A link to a file or folder beside docs/, such as ../src/fewter/cache/key.h.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)([^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown, page, config, files):
    """Shows the path of what is not on the site instead of linking to it."""

    def text(link):
        shown, path = link.groups()
        return shown if path.endswith(shown.strip("`")) else f"{shown} (`{path}`)"

    return OUTSIDE.sub(text, markdown)
