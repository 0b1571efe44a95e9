from reme_images.dockerfile import closure, stages

TEXT = """\
ARG BASE=some/base
# FROM nothing AS comment
FROM scratch AS wheels

FROM ${BASE} AS builder
COPY --chmod=755 images/online.sh /usr/bin/online
RUN --mount=type=bind,from=wheels,target=/wheels \\
    # a comment between
    ls /wheels

FROM builder AS app
COPY a.py b/*.py \\
     c /app/

FROM ${BASE} AS operator
COPY --from=app /app /app

FROM ${BASE} AS other
COPY other.py /
"""


def test_a_stage_knows_its_base_and_its_instructions_whole() -> None:
    found = stages(TEXT)
    assert list(found) == ["wheels", "builder", "app", "operator", "other"]
    assert found["app"].base == "builder"
    assert found["app"].instructions == ("COPY a.py b/*.py c /app/",)
    assert found["builder"].instructions[1].endswith("target=/wheels ls /wheels")


def test_sources_are_what_comes_out_of_the_repository() -> None:
    found = stages(TEXT)
    assert found["app"].sources == ("a.py", "b/*.py", "c")
    assert found["builder"].sources == ("images/online.sh",)
    assert found["operator"].sources == ()


def test_a_target_is_made_from_its_bases_and_from_what_it_copies() -> None:
    names = [stage.name for stage in closure(stages(TEXT), "operator")]
    assert names == ["wheels", "builder", "app", "operator"]


def test_a_target_is_not_made_from_a_stage_that_it_does_not_use() -> None:
    assert [stage.name for stage in closure(stages(TEXT), "other")] == ["other"]
