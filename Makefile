# make install    .venv with phar and all it needs (PHAR_TORCH=cuda for CUDA wheels)
# make demo       phar-demo and phar-tags on the sample video
# make test       lint, then every test; as root on Debian it installs Chromium first
# make lint       ruff, mypy and hadolint
# make bench      the full-size nets against the flow of OpenMMLab's demos (an hour)
# make fuzz       thousands of damaged files of every container (20 minutes; needs the shared media)
# make bundle     render the world, train the models of profile demo, fit their fusion, measure them (an hour or more)
# make moderation the same for the net of profile moderation (half an hour)
# make docs       docs/cli.md from the parsers
# make release    wheel, sdist, SBOM, licences and check sums in dist/, tried in an environment of their own
# make audit      hold the packages of that environment against the known holes; needs the network
# make clean      remove what the other targets made

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
SAMPLE ?= samples/five_scenes
OUT ?= build/demo.json
# Nets of the bundle, with those that each starts from below. Two are trained at a time, each in one thread that draws
# its own samples: two such are faster on two cores than one after the other in two.
MODELS := person stem pose rgb skeleton audio
TRAINED := $(MODELS:%=work_dirs/%/.trained)
WORKERS := 0

PACKAGES := $(VENV)/.packages
RUNTIME := $(VENV)/.installed
DEVELOP := $(VENV)/.develop

.PHONY: install demo test lint bench fuzz bundle moderation docs release audit clean

install: $(RUNTIME)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(PACKAGES): requirements/install.sh requirements/runtime.txt requirements/no-deps.txt requirements/openmmlab.txt | $(BIN)/python
	PYTHON=$(BIN)/python sh requirements/install.sh torch packages
	@touch $@

$(RUNTIME): setup.py $(PACKAGES)
	PYTHON=$(BIN)/python sh requirements/install.sh phar
	@touch $@

$(DEVELOP): requirements/dev.txt requirements/ray.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

demo: $(RUNTIME)
	@mkdir -p $(dir $(OUT))
	$(BIN)/phar-demo $(SAMPLE).mp4 $(OUT) --truth $(SAMPLE).json
	$(BIN)/phar-tags $(OUT)

lint: $(DEVELOP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/mypy --config-file= --ignore-missing-imports --follow-imports=silent benchmarks
	$(BIN)/hadolint docker/Dockerfile docker/Dockerfile.gpu

test: lint
	@sh requirements/browser.sh
	$(BIN)/pytest -n 2 --dist loadfile

bench: $(RUNTIME)
	$(BIN)/python benchmarks/speed.py

fuzz: $(RUNTIME)
	$(BIN)/python benchmarks/fuzz_media.py

bundle: $(RUNTIME)
	$(MAKE) --jobs=2 $(TRAINED)
	$(BIN)/phar fuse --profile demo --criterion log-loss --anew \
		--clips 52 --videos 44 --jobs 2 --in-place --keep work_dirs/val
	$(BIN)/phar eval demo --controls --person-frames 300 --jobs 2 --keep work_dirs/test --out work_dirs/eval

moderation: work_dirs/moderation/.trained

work_dirs/pose/.trained: work_dirs/person/.trained
work_dirs/rgb/.trained: work_dirs/stem/.trained
# Last of the shorter chain: the other one is what the whole waits for.
work_dirs/audio/.trained: work_dirs/rgb/.trained
work_dirs/skeleton/.trained: work_dirs/pose/.trained
# It ends alone; a second process draws the pictures that its joints are found in.
work_dirs/skeleton/.trained: private WORKERS := 1
work_dirs/%/.trained: | $(RUNTIME)
	$(BIN)/phar train $* --resume --export --workers $(WORKERS) --threads 1
	@touch $@

docs: $(RUNTIME)
	$(BIN)/python docs/make_cli.py

release: $(BIN)/python
	PYTHON=$(BIN)/python SAMPLE=$(SAMPLE).mp4 sh requirements/release.sh

audit: $(BIN)/python
	PYTHON=$(BIN)/python sh requirements/release.sh tools environment audit

clean:
	rm -rf $(VENV) build dist src/*.egg-info
