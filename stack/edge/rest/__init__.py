"""The REST half of the edge: what PostgREST 13 answers to supabase-py, and a loud 501 for the rest.

    request -> asked (headers, query string) -> actions (names looked up in the catalogue)
            -> reads | writes | calls (one SQL statement) -> database (one transaction, the token's role) -> answers

Implemented, in schemas `public` and `notify`:

* reading: column lists with aliases; filters eq neq gt gte lt lte like ilike match imatch is in cs cd ov, `not.`,
  `or=()`, `and=()`; JSON paths in columns, filters and order; limit, offset and `Range`, at most 1000 rows;
  single objects; `count=exact`, `planned` and `estimated`; HEAD
* embedded resources by foreign keys, nested, in both directions, one to one and through junctions: hints, `!inner`,
  `!left`, their own filters, trees, order, limit and offset; rows filtered by and ordered by them; of what writes and
  functions return, too. Not by foreign keys behind views, by computed relationships, or spread (501)
* writing: insert of one or many with `columns` and `missing=default`, upsert by `on_conflict`, update, delete;
  `return=`, `handling=strict` with `max-affected`; a limit on an update or delete is ignored, as PostgREST 13 does
* calls by POST with a JSON object and by GET: scalars, json, rows, sets, void
* the error bodies, codes and statuses of PostgREST and of the gateway in front of it

Where it differs from PostgREST: unknown query parameters and limits that are no numbers are refused (501), not ignored;
the `details` of PGRST100 and the nearest names in hints are worded by us; filter values are cast to the column's type,
so that PostgreSQL's complaint about an operator names that type instead of `unknown`; no `Content-Location` header.
"""
