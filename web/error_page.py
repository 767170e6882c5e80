"""The page that a browser shows for an address that does not exist."""

from flask import Response, request

PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Page not found: Matinee</title>
  <link rel="icon" href="{root}/static/ticket.svg" type="image/svg+xml">
  <link rel="stylesheet" href="{root}/static/matinee.css">
</head>
<body>
  <header class="top">
    <a class="brand" href="{root}/">
      <img src="{root}/static/ticket.svg" alt="" width="38" height="38"><span>Matinee</span></a>
  </header>
  <main><div class="failed">
    <h1>Page not found</h1><p>There is no page at this address.</p><a href="{root}/">Back to movies</a>
  </div></main>
</body>
</html>
"""


def error_page(status: int) -> Response:
    """Return a small HTML page that leads back to the movies."""
    return Response(PAGE.format(root=request.script_root), status, content_type="text/html; charset=utf-8")
