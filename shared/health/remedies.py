"""What to do about a problem: a command, a variable, a deed."""

from shared.health.condition import Part

MIGRATE = "apply the migrations: supabase db push --workdir infra"

BY_DATABASE_CODE = {
    "PGRST106": "expose schema notify in the project's API settings (docs/database.md).",
    "PGRST202": f"the schema is older than this release; {MIGRATE}",
    "PGRST125": "NEXT_PUBLIC_SUPABASE_URL must be the project's URL, without a path.",
    "PGRST301": "SUPABASE_SERVICE_ROLE_KEY is of another project, or expired.",
    "PGRST303": "SUPABASE_SERVICE_ROLE_KEY is expired.",
    "401": "SUPABASE_SERVICE_ROLE_KEY is of another project, or withdrawn.",
    "42501": "SUPABASE_SERVICE_ROLE_KEY is not the service role's: take that key, not the anon or publishable one.",
}
"""By what the database, PostgREST or the door before them answers: the variable, or the deed."""

BY_PART = {
    Part.SUBSCRIPTIONS: "xnovu doctor realtime tries a subscription; sweeps bring the rows meanwhile.",
    Part.RULE_ENGINE: "xnovu daemon status lists its schedulers.",
    Part.QUEUE: "xnovu trace follows one row; if the workers are busy: xnovu daemon restart --workers 2",
    Part.TEMPORAL: "xnovu doctor temporal",
    Part.SUPABASE: "xnovu doctor supabase",
    Part.NOVU: "xnovu doctor novu",
    Part.PROCESSES: "its log says where: part_failed. It is run again by itself; docs/runbook.md says what to do.",
}
"""Where the problem itself says nothing better."""

NO_LISTENER = (
    "start one: xnovu daemon start, or xnovu listener; if one runs, its log says what keeps it from reporting."
)
NO_WORKER = "start one: xnovu daemon start, or xnovu worker; if one runs, its log says what keeps it from reporting."
UNHEARD = "start a listener with them in DAEMON_ENTERPRISE_IDS; whom nobody is to serve: xnovu enterprise pause ID"
UNWORKED = "name them in the workers' WORKER_ENTERPRISE_IDS, or start a worker without it."
LOST = "if it is not restarted by itself, start it again; its log ends with why. Rows that it held are taken up again."
RULE_ERRORS = "xnovu rule list names them and their errors; xnovu rule next ID says when one fires."
PAY = "see the billing page of the organisation at Novu."
KEY = "set the variable where workers run, and start them anew; xnovu enterprise list says whose key it is."


def of_database(code: str | None) -> str:
    """What to do where the database answers with this code, or not at all."""
    known = BY_DATABASE_CODE.get(code or "")
    return f"{known.rstrip('.')}; {BY_PART[Part.SUPABASE]}" if known else BY_PART[Part.SUPABASE]
