"""The decisions: pure functions and state, without I/O, clock or database. Read `machine` first.

| module | decides or holds |
| --- | --- |
| `machine` | events in, commands out |
| `events` | every event and command, and the names of all log events |
| `model` | the frozen values: ids, status, dependencies, facts, jobs, outcomes |
| `changes`, `members` | observations → changed facts and edges, rival claims to an output; members of collections |
| `nodes` | a document or collection in the graph: facts, edges, and what the rules say |
| `graph` | the mirror of the database's facts and edges; edge hashes and traces |
| `hashing` | content, recipe and inputs hashes, edge hashes, and their differences |
| `scheduler` | which documents are ready (Kahn's algorithm), generations, cycles |
| `worklist` | works off the ready documents; cycles and unconfirmed edges; renders a single save speculatively |
| `decision` | rehash, skip, block, fail or render a ready document; accept or retry an outcome |
| `runs` | the jobs that are out, and what their outcomes lead to |
| `transitions` | the status changes: facts, results for the database, log lines |
| `declarations` | generated documents: who declares which, and which declarations can't stand |
| `render_loops` | commands that write into sources, and results dropped too often |
| `builds` | the build under way, open requests, forced documents, reports |
| `reasons` | why a document is rendered, and the chain from the edited one |
| `explanation` | `plan` and `why`: the same decisions without rendering |
| `rules`, `globs` | path → rule → output path; path patterns |
| `problem`, `text`, `project_files` | messages; safe text, and names that look alike; shared file names |
"""
