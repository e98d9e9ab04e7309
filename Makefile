# Everything a newcomer needs: `make demo`, then `make test`. Each target sets up what it needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.installed

.PHONY: setup demo up check test test-slow fuzz state-machines chaos chaos-mutants soak soak-daemons soak-rotation soak-autoscale soak-lifecycle health-faults bench simulate bench-time bench-rate bench-broadcast bench-listeners bench-enterprises bench-every-enterprise bench-fanout bench-partitioned test-partitioned observability screenshots lock clean

setup: $(SETUP)

$(SETUP): requirements/development.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(SETUP)

demo: $(SETUP) ## the whole road on this machine, with a mixed load; ends by itself
	$(BIN)/xnovu demo

up: $(SETUP) ## the same, kept running to play with, until Ctrl-C
	$(BIN)/xnovu demo --keep

check: $(SETUP) ## style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(SETUP) ## the tests, in parallel: most wait more than they work, so in more processes than cores
	$(BIN)/pytest -n 3 -m "not whole" --junit-xml build/tests.xml

test-whole: $(SETUP) ## every test, with those that take two cores a minute or more: before a release
	$(BIN)/pytest -n 3 --junit-xml build/tests.xml

test-slow: $(SETUP) ## those that took more than ten seconds in the last `make test`
	$(BIN)/python -m tests.slow_tests

fuzz: $(SETUP) ## random rows, rules, templates and workflows among good rows; SEED=n, or several: SEED=4,5,6
	XNOVU_FUZZ_SEEDS=$(SEED) $(BIN)/pytest tests/e2e/test_fuzz.py --timeout 0 --log-cli-level INFO

chaos: $(SETUP) ## everything breaks at random under load; SEED=n, or several, MINUTES=m: who got what, to build/chaos.json
	$(BIN)/python -m tests.chaos --seeds $(or $(SEED),1) --minutes $(or $(MINUTES),3)

chaos-mutants: $(SETUP) ## each lock is taken out in turn, and make chaos has to find out, to build/chaos-mutants.json; twenty minutes
	$(BIN)/python -m tests.chaos.mutants

state-machines: $(SETUP) ## claims, renewals, records, retractions, replays in any order, for MINUTES=10
	XNOVU_STATE_MACHINE_MINUTES=$(or $(MINUTES),10) $(BIN)/pytest tests/integration/database/test_delivery_machine.py -k "whatever and fresh" --timeout 0

soak: $(SETUP) ## a steady mix for MINUTES=30: memory, handles, tasks, histories, tables, WAL stay flat; build/soak.json, .png
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

soak-daemons: $(SETUP) ## five minutes of daemons killed at random: every instant fires once
	XNOVU_SOAK_SECONDS=300 $(BIN)/pytest tests/e2e/test_time_daemons.py -k three_daemons

soak-rotation: $(SETUP) ## every key and certificate is replaced at 50 rows a second, for five minutes: nothing fails, nothing restarts
	XNOVU_ROTATION_SECONDS=300 XNOVU_ROTATION_ROWS_PER_SECOND=50 $(BIN)/pytest tests/e2e/test_rotation.py

soak-autoscale: $(SETUP) ## twenty times 0 -> 5,000 rows -> 0 with workers that come and go; half an hour
	XNOVU_AUTOSCALE_WAVES=20 $(BIN)/pytest tests/e2e/test_autoscale.py

soak-lifecycle: $(SETUP) ## a hundred daemons started, restarted, stopped and killed by four users; a quarter of an hour
	XNOVU_LIFECYCLE_SEQUENCES=25 $(BIN)/pytest tests/e2e/test_daemon_lifecycle.py

health-faults: $(SETUP) ## each dependency broken in turn: what health says of it, to build/health_faults.json; twenty minutes
	$(BIN)/pytest tests/e2e/test_health_table.py -s

bench: $(SETUP) ## figures on real load, to the terminal and build/bench.json
	$(BIN)/python -m tests.benchmarks

simulate: $(SETUP) ## scalers live through four hours of recorded load: to the terminal and build/simulate.png
	$(BIN)/python -m tests.benchmarks.simulate

bench-time: $(SETUP) ## what waiting costs and how late time runs, to build/bench_time.json; a quarter of an hour
	$(BIN)/python -m tests.benchmarks.time_figures

observability: $(SETUP) ## Prometheus's rules, Grafana's and Google Cloud's dashboards, of their YAML sources
	$(BIN)/python -m tests.infra.observability

bench-rate: $(SETUP) ## two workers at Novu's free plan, to build/bench_rate.json; ten minutes
	$(BIN)/python -m tests.benchmarks.rate_figures

bench-broadcast: $(SETUP) ## rings by broadcast, and what harms nobody, to build/bench_broadcast.json; eight minutes
	$(BIN)/python -m tests.benchmarks.broadcast

bench-listeners: $(SETUP) ## three listeners of which one is killed every ten seconds, to build/bench_listeners.json; three minutes
	$(BIN)/python -m tests.benchmarks.listeners

bench-enterprises: $(SETUP) ## a thousand enterprises, beside three in the same run, and one that floods, to build/bench_enterprises.json; ten minutes
	$(BIN)/python -m tests.benchmarks.enterprises

bench-every-enterprise: $(SETUP) ## five thousand enterprises with DAEMON_ENTERPRISE_IDS=*, to build/bench_every_enterprise.json; five minutes
	$(BIN)/python -m tests.benchmarks.every_enterprise

bench-partitioned: $(SETUP) ## one table of notifications beside sixteen partitions, at ROWS=1000000,5000000, to build/partitioned.json; ten minutes
	$(BIN)/python -m tests.benchmarks.partitioned --rows $(or $(ROWS),1000000,5000000)

test-partitioned: $(SETUP) ## the tests of the database with notifications in partitions (infra/supabase/partitioned)
	XNOVU_DATABASE_SHAPES=partitioned $(BIN)/pytest -n 3 tests/integration/database -m "not whole"

bench-fanout: $(SETUP) ## a row for 100,000 people, killed twice, and a million beside single rows, to build/bench_fanout.json; five minutes
	$(BIN)/python -m tests.benchmarks.fanout

screenshots: $(SETUP) ## docs/status-page-*.png, of a real deployment under load and in trouble; five minutes
	$(BIN)/python -m tests.screenshots

lock: $(SETUP) ## compile requirements from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --group build --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/build.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/development.txt

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
