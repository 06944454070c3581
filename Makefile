# Each target sets the environment up first, so `make demo` and `make test` work in a bare checkout.
VENV   := .venv
PYTHON := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
JOBS   ?= 2
ARGS   ?=

# Idle OpenMP threads sleep soon: spinning ones make a step many times slower when cores are shared.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT  := 3000

# What every table has to be ahead of; the best of them is its yardstick.
PLAIN     := seasonal_naive,trailing_median_28,trailing_median_56,trailing_median_224,trailing_mean_28,trailing_mean_56,trailing_mean_224,phase_median_4,phase_median_8,event_median
BACKTEST  := $(PYTHON) scripts/backtest.py -m experiment=demo skip_finished=true
FULL      := networks=[nhits,tft] seeds=5 policies=[reactive,randomized,committed] paths=100 \
	path_cutoffs=[0,1,2,3,4] out=runs/midmile-do-full
SIZES     := 100x2000,100x2000+,1000x1000,1000x1000+,10000x500,10000x500+,30000x200,30000x200+,1x50000,1x50000+
EVERY     := 'figures=[startup,train_step,backtest,prepare,sweep]' 'networks=[nhits,tft,itransformer]' \
	'cases.nhits=[$(SIZES)]' 'cases.tft=[$(SIZES)]' 'cases.itransformer=[321x5000]' \
	'backtests.nhits=[{case: 100x2000, windows: [5,20,100]}, {case: 30000x200, windows: [5,20]}]' \
	'backtests.tft=[{case: 100x2000, windows: [5,20,100]}]' 'prepared=[1000x1000,30000x500+]'
ON_GPU    := device=gpu out=runs/bench-gpu 'figures=[train_step,backtest,seeds,roofline]' \
	'networks=[nhits,tft]' 'precisions=[fp32,bf16-mixed,fp32+reduce-overhead,bf16-mixed+reduce-overhead]' \
	'cases.nhits=[1000x1000,1000x1000+]' 'cases.tft=[1000x1000+]' settings.tft.batch_size=512 settings.tft.steps=10 \
	'backtests.nhits=[{case: 30000x200, windows: [5]}]' rounds=5
SCHEDULED := data.schema.columns.scheduled.role

.PHONY: help setup demo test test-slow test-wheel lint types bench bench-full bench-gpu bench-guard mutation midmile-do midmile-do-full plan-demo docs
.DEFAULT_GOAL := help

help:        ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(STAMP)  ## create .venv with the pinned packages (again only when the pins change)

demo: setup  ## backtest plain rows and five models on real flights, print one table (runs/demo/compare.csv)
	$(BACKTEST) model=$(PLAIN),auto_ets $(SCHEDULED)=observed
	$(BACKTEST) model=schedule $(SCHEDULED)=known_future
	$(BACKTEST) model=lightgbm,nhits,tft $(SCHEDULED)=known_future,observed
	$(PYTHON) scripts/compare.py 'runs=runs/demo/**'

test: setup  ## run the tests, without the slow proofs
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(JOBS) -m "not slow"

test-slow: setup  ## run the slow proofs, one after the other
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -m slow

test-wheel: setup  ## build the wheel, install it beside the packages of .venv, and walk through it
	$(PYTHON) -m pytest tests/packaging

lint: setup  ## check style and formatting
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: setup  ## check the types
	$(PYTHON) -m mypy

docs: setup  ## build the pages of docs/ as a site and run the notebooks; warnings are errors (build/docs)
	$(PYTHON) -m sphinx -W --keep-going -q docs build/docs

bench: setup  ## time steps, backtests and start-up beside the floor and neuralforecast (25 minutes)
	$(PYTHON) -W ignore -m benchmarks.speed $(ARGS)

bench-full: setup  ## the same for every size, TFT and iTransformer, preparation and sweeps (longer)
	$(PYTHON) -W ignore -m benchmarks.speed $(EVERY) $(ARGS)

bench-gpu: setup  ## on a GPU: steps, backtests, eight seeds at once, the roofline (minutes)
	$(PYTHON) -W ignore -m benchmarks.speed $(ON_GPU)

bench-guard: setup  ## fail where a step or backtest costs more, beside its floor, than committed
	$(PYTHON) -W ignore -m benchmarks.speed 'figures=[train_step,backtest]' guard.check=true out=runs/bench-guard \
	    'networks=[nhits]' 'precisions=[fp32]' \
	    'cases.nhits=[1000x1000,1000x1000+]' 'backtests.nhits=[{case: 100x2000, windows: [100]}]'

mutation: setup  ## inject defects into the data and count those that the checks catch
	OMP_NUM_THREADS=1 $(PYTHON) -m benchmarks.mutation

midmile-do: setup  ## ask every coupling what-if questions whose answers are known (under 20 minutes)
	OMP_NUM_THREADS=1 $(PYTHON) scripts/midmile_do.py

midmile-do-full: setup  ## the same with TFT, 5 seeds, all policies, all cutoffs (hours; goes on where it stopped)
	OMP_NUM_THREADS=1 $(PYTHON) scripts/midmile_do.py $(FULL)

plan-demo: setup  ## forecast, plan, price plans on the twin's own futures, simulate (under 5 minutes)
	$(PYTHON) scripts/backtest.py experiment=plan_demo skip_finished=true
	OMP_NUM_THREADS=1 $(PYTHON) -m benchmarks.plan_demo

# python3.11 if there is one, else any python3 that is new enough.
$(STAMP): pyproject.toml constraints.txt
	@python=$$(for p in python3.11 python3; do \
	    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done); \
	test -n "$$python" || { echo "lanecast needs Python 3.11 or newer; put python3.11 on the PATH" >&2; exit 1; }; \
	echo "Setting up $(VENV) with the packages of constraints.txt: a few minutes, once."; \
	test -x $(VENV)/bin/pip || $$python -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	@touch $@
