// Compiled, not run: types generated from openapi.yaml take what the document allows, and nothing else.
