"""Write the document to where the function that serves it finds it: `make openapi`."""

from tools.openapi.document import OPENAPI_JSON, text

OPENAPI_JSON.write_text(text(), encoding="utf-8")
