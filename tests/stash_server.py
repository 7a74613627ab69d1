"""A small Stash: its GraphQL types and rules, as far as markers go, over HTTP.

Names and types of fields and arguments are those of Stash, early in 2026. The rules that trip clients are
kept: EQUALS is a LIKE without regard to case; INCLUDES takes each word of an unquoted text; names and
aliases of tags are unique; a primary tag is not listed among a marker's other tags; nothing keeps two
markers from being alike.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

SCHEMA = build_schema("""
scalar Time
enum CriterionModifier {
  EQUALS NOT_EQUALS GREATER_THAN LESS_THAN IS_NULL NOT_NULL INCLUDES_ALL INCLUDES EXCLUDES MATCHES_REGEX
  NOT_MATCHES_REGEX BETWEEN NOT_BETWEEN
}
enum SortDirectionEnum { ASC DESC }
input StringCriterionInput { value: String! modifier: CriterionModifier! }
input FindFilterType { q: String page: Int per_page: Int sort: String direction: SortDirectionEnum }
input SceneFilterType {
  AND: SceneFilterType OR: SceneFilterType NOT: SceneFilterType path: StringCriterionInput
}
input TagFilterType {
  AND: TagFilterType OR: TagFilterType name: StringCriterionInput aliases: StringCriterionInput
}
type VideoFile { id: ID! path: String! basename: String! duration: Float! frame_rate: Float! }
type Tag { id: ID! name: String! description: String aliases: [String!]! created_at: Time! updated_at: Time! }
type Scene { id: ID! title: String files: [VideoFile!]! scene_markers: [SceneMarker!]! tags: [Tag!]! }
type SceneMarker {
  id: ID! scene: Scene! title: String! seconds: Float! end_seconds: Float primary_tag: Tag! tags: [Tag!]!
  created_at: Time! updated_at: Time!
}
type FindScenesResultType { count: Int! duration: Float! filesize: Float! scenes: [Scene!]! }
type FindTagsResultType { count: Int! tags: [Tag!]! }
input TagCreateInput {
  name: String! sort_name: String description: String aliases: [String!] ignore_auto_tag: Boolean
  favorite: Boolean image: String parent_ids: [ID!] child_ids: [ID!]
}
input SceneMarkerCreateInput {
  title: String! seconds: Float! end_seconds: Float scene_id: ID! primary_tag_id: ID! tag_ids: [ID!]
}
input SceneMarkerUpdateInput {
  id: ID! title: String seconds: Float end_seconds: Float scene_id: ID primary_tag_id: ID tag_ids: [ID!]
}
type Query {
  findScene(id: ID, checksum: String): Scene
  findScenes(
    scene_filter: SceneFilterType scene_ids: [Int!] ids: [ID!] filter: FindFilterType
  ): FindScenesResultType!
  findTags(tag_filter: TagFilterType filter: FindFilterType ids: [ID!]): FindTagsResultType!
}
type Mutation {
  tagCreate(input: TagCreateInput!): Tag
  sceneMarkerCreate(input: SceneMarkerCreateInput!): SceneMarker
  sceneMarkerUpdate(input: SceneMarkerUpdateInput!): SceneMarker
  sceneMarkerDestroy(id: ID!): Boolean!
  metadataImport: ID!
}
""")

_NOW = "2026-01-01T00:00:00Z"


@dataclass
class Library:
    """What a Stash holds, and how it answers; the root value of its schema."""

    api_key: str | None = None
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    scenes: dict[str, dict[str, Any]] = field(default_factory=dict)
    markers: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    """Names of the mutations so far."""
    url: str = ""
    _next: int = 1

    def add_scene(self, *paths: str, duration_s: float) -> str:
        number = self._number()
        files = [
            {
                "id": self._number(),
                "path": path,
                "basename": path.split("/")[-1],
                "duration": duration_s,
                "frame_rate": 25,
            }
            for path in paths
        ]
        self.scenes[number] = {"id": number, "title": None, "files": files, "tags": []}
        return number

    def add_tag(self, name: str, *aliases: str, description: str | None = None) -> str:
        number = self._number()
        self.tags[number] = {
            "id": number,
            "name": name,
            "aliases": list(aliases),
            "description": description,
            "created_at": _NOW,
            "updated_at": _NOW,
        }
        return number

    def add_marker(
        self, scene: str, tag: str, seconds: float, end_seconds: float | None = None, **more: Any
    ) -> str:
        number = self._number()
        self.markers[number] = {
            "id": number,
            "scene_id": scene,
            "title": more.get("title", ""),
            "seconds": seconds,
            "end_seconds": end_seconds,
            "primary_tag_id": tag,
            "tag_ids": [other for other in more.get("tag_ids", []) if other != tag],
        }
        return number

    def rows(self, scene: str) -> list[tuple[str, float, float | None, str, list[str]]]:
        """Return (primary tag, start, end, title, other tags) of a scene's markers, by start."""
        found = [
            (
                self.tags[m["primary_tag_id"]]["name"],
                m["seconds"],
                m["end_seconds"],
                m["title"],
                sorted(self.tags[tag]["name"] for tag in m["tag_ids"]),
            )
            for m in self.markers.values()
            if m["scene_id"] == scene
        ]
        return sorted(found, key=lambda row: (row[1], row[0]))

    def findScene(self, info: Any, id: str | None = None, checksum: str | None = None) -> Any:
        return self._scene(id) if id in self.scenes else None

    def findScenes(self, info: Any, scene_filter: Any = None, filter: Any = None, **_: Any) -> Any:
        wanted = (scene_filter or {}).get("path")
        scenes = [
            self._scene(number)
            for number, scene in self.scenes.items()
            if wanted is None or any(_fits(file["path"], **wanted) for file in scene["files"])
        ]
        return {"count": len(scenes), "duration": 0, "filesize": 0, "scenes": _page(scenes, filter)}

    def findTags(self, info: Any, filter: Any = None, **_: Any) -> Any:
        return {"count": len(self.tags), "tags": _page(list(self.tags.values()), filter)}

    def tagCreate(self, info: Any, input: Any) -> Any:
        self.changes.append("tagCreate")
        name = input["name"].strip()
        for tag in self.tags.values():
            if name.lower() in {tag["name"].lower(), *(alias.lower() for alias in tag["aliases"])}:
                raise GraphQLError(f"tag with name '{name}' already exists")
        return self.tags[self.add_tag(name, description=input.get("description"))]

    def sceneMarkerCreate(self, info: Any, input: Any) -> Any:
        self.changes.append("sceneMarkerCreate")
        given = dict(input)
        _check_end(given["seconds"], given.get("end_seconds"))
        number = self.add_marker(
            given.pop("scene_id"),
            given.pop("primary_tag_id"),
            given.pop("seconds"),
            given.pop("end_seconds", None),
            **given,
        )
        return self._marker(number)

    def sceneMarkerUpdate(self, info: Any, input: Any) -> Any:
        self.changes.append("sceneMarkerUpdate")
        marker = self.markers[input["id"]]
        marker.update({key: value for key, value in input.items() if key != "id"})
        _check_end(marker["seconds"], marker["end_seconds"])
        return self._marker(input["id"])

    def sceneMarkerDestroy(self, info: Any, id: str) -> bool:
        self.changes.append("sceneMarkerDestroy")
        if self.markers.pop(id, None) is None:
            raise GraphQLError(f"scene marker with id {id} not found")
        return True

    def metadataImport(self, info: Any) -> str:
        self.tags.clear(), self.scenes.clear(), self.markers.clear()
        return "1"

    def _scene(self, number: str) -> dict[str, Any]:
        markers = [self._marker(key) for key, value in self.markers.items() if value["scene_id"] == number]
        return {**self.scenes[number], "scene_markers": markers}

    def _marker(self, number: str) -> dict[str, Any]:
        marker = self.markers[number]
        return {
            **marker,
            "primary_tag": self.tags[marker["primary_tag_id"]],
            "tags": [self.tags[tag] for tag in marker["tag_ids"]],
            "created_at": _NOW,
            "updated_at": _NOW,
        }

    def _number(self) -> str:
        self._next += 1
        return str(self._next)


@contextmanager
def serving(library: Library) -> Iterator[Library]:
    """Answer for the library at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/moved/graphql":
                self.send_response(307)
                self.send_header("Location", f"{library.url}/graphql")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path != "/graphql":
                self._answer(404, b"<html>no Stash</html>", "text/html")
            elif library.api_key is not None and self.headers.get("ApiKey") != library.api_key:
                self._answer(401, b"", "text/plain")
            else:
                asked = json.loads(body)
                result = graphql_sync(SCHEMA, asked["query"], library, variable_values=asked.get("variables"))
                self._answer(200, json.dumps(result.formatted).encode(), "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    library.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield library
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _fits(path: str, value: str, modifier: str) -> bool:
    if modifier == "EQUALS":
        return _like(path, value)
    assert modifier == "INCLUDES"
    text = value.strip()
    if text.startswith('"') and text.endswith('"'):
        return _like(path, f"%{text[1:-1]}%")
    return any(_like(path, f"%{word}%") for word in text.split())


def _like(text: str, pattern: str) -> bool:
    """SQLite's LIKE: % for any text, _ for any character, without regard to ASCII case."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.IGNORECASE | re.ASCII | re.DOTALL) is not None


def _page(found: list[Any], wanted: Any) -> list[Any]:
    number = (wanted or {}).get("per_page", 25)
    return found if number < 0 else found[:number]


def _check_end(seconds: float, end_seconds: float | None) -> None:
    if end_seconds is not None and end_seconds < seconds:
        raise GraphQLError("end_seconds must be greater than or equal to seconds")
