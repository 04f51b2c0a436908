"""Texts as a feed or a model might hold them, each with something that Streamlit's Markdown would act on."""

HOSTS = frozenset({"ours.example"})

TEXTS = [
    "$x^2$ and $$y$$ cost $5 or $6",
    "[link](https://evil.example) ![image](https://evil.example/i.png) <https://evil.example>",
    "https://evil.example/a?b=c www.evil.example me@evil.example ftp://evil.example mailto:me@evil.example",
    "https://ours.example@evil.example/ and https://ours.example:x@evil.example and https://ours.example.evil.example",
    "<img src=x onerror=alert(1)> <b>bold</b> <script>alert(1)</script> &lt;i&gt; &copy; &#36;",
    "**bold** *italic* __bold__ _italic_ ~~gone~~ `code` ``more``",
    "# heading",
    "> quote",
    "- item",
    "1. item",
    "2) item",
    "+ item",
    "| a | b |",
    "---",
    "===",
    "~~~",
    "```python",
    "    indented",
    ":smile: :+1: :material/bolt: :material_bolt: :streamlit: :red[red] :red-badge[new] :small[s] :shimmer[s]",
    "a -> b <- c -- d >= e <= f ~= g <-> h",
    "[^1] and [^1]: footnote and [a]: https://evil.example",
    "back\\slash \\[escaped\\] \\$ end\\",
    "^up^ ==marked== {braces} :::note %%{init}%% @{x}",
    "first line\nsecond line\n\n# third\n\n    fourth\n- fifth",
    "[1] [99] [x] [ ] [x](y)",
    "2 * 3 * 4 = 24, snake_case_name, a~b~c, 5 < 6 > 4, R&D, 50% #1",
]
