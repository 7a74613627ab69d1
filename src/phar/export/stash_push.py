"""Puts the segments into a running Stash as markers, and takes them out again when they are gone.

phar's own markers carry the tag `phar`, beside the label as their primary tag. Markers without it belong to
the user and are never changed; taking the tag off a marker hands it over. Pushing the same report twice
changes nothing, and a push that was cut off is mended by the next.

Traps: `sceneMarkerCreate` makes a second marker of the same time and tag without a word. Filters with EQUALS
are SQL's LIKE, where `_` and `%` in a path or name stand for anything, so answers are compared here once
more. `tagCreate` refuses a name that is another tag's alias. `metadataImport` wipes the database; it is
never called.

Source: Stash's GraphQL schema, https://github.com/stashapp/stash/tree/develop/graphql/schema
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

from phar.export.stash import OWN_TAG, markers
from phar.export.wording import absolute_text
from phar.schema import NetworkError, OutputError, Report, UsageError

#: Seconds to wait for a connection, and for an answer.
_TIMEOUT_S = (10, 60)
#: How far apart a report's length and a file's may be for the file to be the same video.
_SAME_LENGTH_S = 1.0

#: What makes a tag phar's own, besides its name: markers of a tag that only has the name are the user's.
_OWN_TAG_MARK = "Markers that phar made"
_OWN_TAG_MEANS = f"{_OWN_TAG_MARK}. It changes and deletes markers with this tag, and no others."

_FIND_SCENES = """query FindScenes($path: String!, $how: CriterionModifier!) {
  findScenes(scene_filter: {path: {value: $path, modifier: $how}}, filter: {per_page: -1}) {
    scenes { id files { path duration } } } }"""
_FIND_MARKERS = """query FindMarkers($scene: ID!) {
  findScene(id: $scene) {
    id scene_markers { id title seconds end_seconds primary_tag { id } tags { id } } } }"""
_FIND_TAGS = "query FindTags { findTags(filter: {per_page: -1}) { tags { id name aliases description } } }"
_CREATE_TAG = "mutation CreateTag($input: TagCreateInput!) { tagCreate(input: $input) { id } }"
_CREATE = "mutation Create($input: SceneMarkerCreateInput!) { sceneMarkerCreate(input: $input) { id } }"
_UPDATE = "mutation Update($input: SceneMarkerUpdateInput!) { sceneMarkerUpdate(input: $input) { id } }"
_DESTROY = "mutation Destroy($id: ID!) { sceneMarkerDestroy(id: $id) }"


@dataclass(frozen=True)
class Pushed:
    """What a push did, in numbers of markers."""

    scene: str
    """The scene's id."""
    created: int
    updated: int
    deleted: int
    unchanged: int
    theirs: int
    """Segments left out because the user has a marker of the same tag and start."""
    new_tags: tuple[str, ...]


@dataclass(frozen=True)
class _Marker:
    """A marker as it is, or is to be."""

    tag: str
    """Id of the primary tag."""
    title: str
    start: int
    """Milliseconds."""
    end: int | None
    """Milliseconds; None for a marker without an end."""
    id: str = ""

    @property
    def content(self) -> tuple[str, str, int, int | None]:
        return self.tag, self.title, self.start, self.end


class Stash:
    """A Stash server, asked by GraphQL."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        """Take the server's address, with or without /graphql, and the key of its security settings.

        Raises:
            UsageError: `url` is no address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{url!r} is no address of a Stash; give it as http://host:9999")
        path = parts.path.rstrip("/").removesuffix("/graphql")
        self.url = urlunsplit((parts.scheme, parts.netloc, f"{path}/graphql", "", ""))
        self._session = requests.Session()
        if api_key:
            self._session.headers["ApiKey"] = api_key

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the value of the one field a query asks for.

        Raises:
            NetworkError: no answer, or one that says what is wrong.
        """
        try:
            # A redirect would carry the key to wherever it points.
            answer = self._session.post(
                self.url,
                json={"query": query, "variables": variables},
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.exceptions.RequestException as error:
            raise NetworkError(
                f"{self.url} cannot be reached ({type(error).__name__}); is Stash running there?"
            ) from error
        if answer.status_code in (401, 403):
            raise NetworkError(
                f"{self.url} refuses without the right key; set PHAR_STASH_API_KEY to the one in Stash's"
                " settings, Security"
            )
        try:
            document = answer.json()
            errors, data = document.get("errors"), document.get("data")
        except (ValueError, AttributeError):
            raise NetworkError(
                f"{self.url} answers with status {answer.status_code} and no GraphQL; is that a Stash?"
            ) from None
        if errors or not data:
            said = "; ".join(str(error.get("message", error)) for error in errors or [{"message": "nothing"}])
            raise NetworkError(f"Stash answers: {said}; phar knows Stash 0.28 and newer")
        return next(iter(data.values()))


def push(report: Report, stash: Stash, scene: str | None = None) -> Pushed:
    """Make phar's markers of a scene those of the report.

    Args:
        report: its segments may overlap.
        stash: the server.
        scene: the scene's id; None finds it by the video's path, or by its name and length.

    Raises:
        NetworkError: see `Stash.ask`.
        OutputError: Stash has no such scene, or more than one; or a tag `phar` that means something else.
        UsageError: a label is the name of phar's own tag.
    """
    scene = scene or _find_scene(report, stash)
    spans = markers(report)
    found = stash.ask(_FIND_MARKERS, scene=scene)
    if found is None:
        raise OutputError(f"Stash has no scene {scene}; look up its number in the scene's address")
    tags, new_tags = _tags(stash, dict.fromkeys(span.label for span in spans))
    own_tag = tags.pop("")
    wanted = [_Marker(tags[span.label], span.label, span.start, span.end) for span in spans]
    own, theirs = _sorted_out(found["scene_markers"], own_tag)
    plan = _plan(wanted, own, {(marker.tag, marker.start) for marker in theirs})
    for old, new in plan.updates:
        stash.ask(_UPDATE, input={"id": old.id, **_fields(new)})
    for new in plan.creates:
        stash.ask(_CREATE, input={"scene_id": scene, "tag_ids": [own_tag], **_fields(new)})
    for old in plan.deletes:
        stash.ask(_DESTROY, id=old.id)
    return Pushed(
        scene=scene,
        created=len(plan.creates),
        updated=len(plan.updates),
        deleted=len(plan.deletes),
        unchanged=plan.unchanged,
        theirs=plan.theirs,
        new_tags=new_tags,
    )


@dataclass(frozen=True)
class _Plan:
    creates: Sequence[_Marker]
    updates: Sequence[tuple[_Marker, _Marker]]
    deletes: Sequence[_Marker]
    unchanged: int
    theirs: int


def _plan(wanted: Sequence[_Marker], own: Sequence[_Marker], taken: set[tuple[str, int]]) -> _Plan:
    """Pair what is to be with what is: the same first, then those of one tag by nearest start."""
    old, new = list(own), []
    for marker in wanted:
        same = next((other for other in old if other.content == marker.content), None)
        if same is None:
            new.append(marker)
        else:
            old.remove(same)
    unchanged = len(wanted) - len(new)
    updates = []
    for _, i, j in sorted(
        (abs(a.start - b.start), i, j) for i, a in enumerate(old) for j, b in enumerate(new) if a.tag == b.tag
    ):
        if all(old[i] is not was and new[j] is not now for was, now in updates):
            updates.append((old[i], new[j]))
    left = [marker for marker in new if all(marker is not now for _, now in updates)]
    creates = [marker for marker in left if (marker.tag, marker.start) not in taken]
    deletes = [marker for marker in old if all(marker is not was for was, _ in updates)]
    return _Plan(creates, updates, deletes, unchanged, len(left) - len(creates))


def _find_scene(report: Report, stash: Stash) -> str:
    path = absolute_text(report.video.path)
    scenes = stash.ask(_FIND_SCENES, path=path, how="EQUALS")["scenes"]
    exact = [scene for scene in scenes if any(file["path"] == path for file in scene["files"])]
    if exact:
        return str(exact[0]["id"])
    name = _name(path)
    # In quotes, or Stash would look for each word of the name.
    scenes = stash.ask(_FIND_SCENES, path=f'"{name}"', how="INCLUDES")["scenes"]
    alike = [scene for scene in scenes if any(_is_same(file, name, report) for file in scene["files"])]
    if len(alike) == 1:
        return str(alike[0]["id"])
    if alike:
        ids = ", ".join(str(scene["id"]) for scene in alike)
        raise OutputError(f"Stash has {len(alike)} scenes of {name}: {ids}; name one with --scene")
    raise OutputError(f"Stash has no scene of {path}; scan it in Stash first, or name the scene with --scene")


def _is_same(file: Mapping[str, Any], name: str, report: Report) -> bool:
    return _name(file["path"]) == name and abs(file["duration"] - report.video.duration_s) <= _SAME_LENGTH_S


def _name(path: str) -> str:
    # The server's paths may be those of another system.
    return re.split(r"[\\/]", path)[-1]


def _tags(stash: Stash, labels: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the tags' ids by label, phar's own under "", and the names of those that were made."""
    there = stash.ask(_FIND_TAGS)["tags"]
    aliases = {alias.casefold(): str(tag["id"]) for tag in there for alias in tag["aliases"]}
    known = {**aliases, **{tag["name"].casefold(): str(tag["id"]) for tag in there}}
    made: list[str] = []

    def id_of(name: str, **more: str) -> str:
        if name.casefold() not in known:
            created = stash.ask(_CREATE_TAG, input={"name": name, **more})
            known[name.casefold()] = str(created["id"])
            made.append(name)
        return known[name.casefold()]

    own = id_of(OWN_TAG, description=_OWN_TAG_MEANS)
    for tag in there:
        if str(tag["id"]) == own and _OWN_TAG_MARK not in (tag["description"] or ""):
            raise OutputError(
                f"Stash has a tag {tag['name']!r} that is not known to be phar's; rename it, or if an import"
                f" of phar's file made it, give it the description '{_OWN_TAG_MARK}'"
            )
    ids = {}
    for label in labels:
        ids[label] = id_of(label)
        if ids[label] == own:
            raise UsageError(
                f"label {label!r} is the tag that marks phar's own markers; leave it out with --labels"
            )
    return {**ids, "": own}, tuple(made)


def _sorted_out(found: Iterable[Mapping[str, Any]], own_tag: str) -> tuple[list[_Marker], list[_Marker]]:
    """Return phar's markers and the user's."""
    own, theirs = [], []
    for entry in found:
        end_s = entry["end_seconds"]
        marker = _Marker(
            tag=str(entry["primary_tag"]["id"]),
            title=entry["title"],
            start=round(entry["seconds"] * 1000),
            end=None if end_s is None else round(end_s * 1000),
            id=str(entry["id"]),
        )
        mine = any(str(tag["id"]) == own_tag for tag in entry["tags"])
        (own if mine else theirs).append(marker)
    return own, theirs


def _fields(marker: _Marker) -> dict[str, Any]:
    return {
        "title": marker.title,
        "seconds": marker.start / 1000,
        "end_seconds": None if marker.end is None else marker.end / 1000,
        "primary_tag_id": marker.tag,
    }
