"""Pictures of a graph: SVG with a layout of our own, and Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from gatehouse.reachability.graph import Kind
from gatehouse.reachability.view import Arrow, Box, View

_WIDTH, _GAP, _ROW_GAP = 148, 78, 34
_MARGIN, _LINE, _LANE = 16, 15, 16
_LONGEST_LINE = 22
_MOST_LINES = 12
_FONT = "font-family='-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"
#: Colour of a box by what it is: outside, the way in, the servers, the data, what passes on.
_FILLS: Mapping[Kind, str] = {
    Kind.API: "#dbeafe",
    Kind.VPC_LINK: "#dbeafe",
    Kind.LOAD_BALANCER: "#dbeafe",
    Kind.SERVER: "#dcfce7",
    Kind.DATABASE: "#fef3c7",
    Kind.ENDPOINT: "#ede9fe",
    Kind.GATEWAY_ENDPOINT: "#ede9fe",
    Kind.NAT: "#ede9fe",
}
_OUTSIDE_FILL = "#f3f4f6"
_INK, _LINE_COLOUR, _ALARM = "#111827", "#4b5563", "#b91c1c"


@dataclass(frozen=True)
class _Placed:
    """A box with its place, in pixels from the upper left corner."""

    box: Box
    left: int
    top: int
    height: int

    @property
    def middle(self) -> int:
        return self.top + self.height // 2

    @property
    def right(self) -> int:
        return self.left + _WIDTH

    @property
    def bottom(self) -> int:
        return self.top + self.height


def svg(view: View, title: str) -> str:
    """Return the picture as a self-contained SVG, on white, to be read at the width of a page."""
    far = [arrow for arrow in view.arrows if _is_far(arrow)]
    top = _MARGIN + 30 + _LANE * len(far)
    placed = _place(view, top)
    right = max((one.right for one in placed.values()), default=_WIDTH) + _MARGIN
    bottom = max((one.bottom for one in placed.values()), default=top) + _MARGIN
    lanes = {arrow: _MARGIN + 30 + _LANE * index for index, arrow in enumerate(far)}
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {right} {bottom}' width='{right}' "
        f"height='{bottom}' role='img' aria-label='{escape(title)}' {_FONT}>",
        f"<title>{escape(title)}</title>",
        *_markers(),
        f"<rect width='{right}' height='{bottom}' fill='#ffffff'/>",
        f"<text x='{_MARGIN}' y='{_MARGIN + 10}' font-size='14' font-weight='600' fill='{_INK}'>"
        f"{escape(title)}</text>",
        *(_arrow(arrow, placed, lanes) for arrow in view.arrows),
        *(_drawn(one) for one in placed.values()),
        *_labels(view, placed, lanes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place(view: View, top: int) -> dict[Box, _Placed]:
    columns = sorted({box.column for box in view.boxes})
    heights = {box: 30 + _LINE * len(_lines(box)) for box in view.boxes}
    tallest = max((_column_height(view, heights, column) for column in columns), default=0)
    placed = {}
    for index, column in enumerate(columns):
        here = top + (tallest - _column_height(view, heights, column)) // 2
        for box in (box for box in view.boxes if box.column == column):
            placed[box] = _Placed(box, _MARGIN + index * (_WIDTH + _GAP), here, heights[box])
            here += heights[box] + _ROW_GAP
    return placed


def _column_height(view: View, heights: Mapping[Box, int], column: int) -> int:
    found = [heights[box] for box in view.boxes if box.column == column]
    return sum(found) + _ROW_GAP * (len(found) - 1)


def _lines(box: Box) -> list[str]:
    """Return the names in a box, each as long as there is room, on as many lines as it takes."""
    found = []
    for line in box.lines[:_MOST_LINES]:
        rest = line
        while len(rest) > _LONGEST_LINE:
            cut = max(rest.rfind(sign, 0, _LONGEST_LINE) for sign in " .-_/") + 1 or _LONGEST_LINE
            found.append(rest[:cut])
            rest = rest[cut:]
        found.append(rest)
    return [*found, "…"] if len(box.lines) > _MOST_LINES else found


def _markers() -> Iterator[str]:
    yield "<defs>"
    for name, colour in (("tip", _LINE_COLOUR), ("alarm", _ALARM)):
        yield (
            f"<marker id='{name}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='11' markerHeight='11' "
            f"markerUnits='userSpaceOnUse' "
            f"orient='auto-start-reverse'><path d='M0,0 L8,4 L0,8 z' fill='{colour}'/></marker>"
        )
    yield "</defs>"


def _is_far(arrow: Arrow) -> bool:
    """Return whether an arrow passes columns, and so goes above them."""
    return arrow.target.column - arrow.source.column > 1 or arrow.target.column < arrow.source.column


def _arrow(arrow: Arrow, placed: Mapping[Box, _Placed], lanes: Mapping[Arrow, int]) -> str:
    start, end = placed[arrow.source], placed[arrow.target]
    if arrow in lanes:
        lane = lanes[arrow]
        aside = (lane - _MARGIN) // _LANE % 4 * 3  # so that arrows side by side are seen to be several
        out, into = start.right + 4 + aside, end.left - 14 - aside
        way = f"M{start.right},{start.top + 12} H{out} V{lane} H{into} V{end.top + 12} H{end.left}"
    elif start is end:
        way = f"M{start.right - 40},{start.top} V{start.top - 14} H{start.right - 16} V{start.top}"
    elif arrow.source.column == arrow.target.column:
        middle = start.left + _WIDTH // 2
        down = start.top < end.top
        way = f"M{middle},{start.bottom if down else start.top} V{end.top if down else end.bottom}"
    else:
        halfway = start.right + 16  # room for the label before the tip
        way = f"M{start.right},{start.middle} H{halfway} V{end.middle} H{end.left}"
    style = (
        f"stroke='{_ALARM}' stroke-width='2.5' stroke-dasharray='7 4' marker-end='url(#alarm)'"
        if arrow.fails
        else f"stroke='{_LINE_COLOUR}' stroke-width='1.5' marker-end='url(#tip)'"
    )
    told = f"{arrow.source.title} to {arrow.target.title}: {arrow.ports}{', which must not be' * arrow.fails}"
    return f"<path d='{way}' fill='none' {style}><title>{escape(told)}</title></path>"


def _drawn(one: _Placed) -> str:
    fill = _FILLS.get(one.box.kind, _OUTSIDE_FILL)
    middle = one.left + _WIDTH // 2
    lines = "".join(
        f"<text x='{middle}' y='{one.top + 36 + _LINE * index}' font-size='11.5' text-anchor='middle' "
        f"fill='{_INK}'>{escape(line)}</text>"
        for index, line in enumerate(_lines(one.box))
    )
    return (
        f"<rect x='{one.left}' y='{one.top}' width='{_WIDTH}' height='{one.height}' rx='6' fill='{fill}' "
        f"stroke='{_LINE_COLOUR}'/><text x='{middle}' y='{one.top + 20}' font-size='13' font-weight='600' "
        f"text-anchor='middle' fill='{_INK}'>{escape(one.box.title)}</text>{lines}"
    )


def _labels(view: View, placed: Mapping[Box, _Placed], lanes: Mapping[Arrow, int]) -> Iterator[str]:
    """Write the ports at the arrows; the same words at the same place once, others below each other."""
    there: dict[tuple[int, int], list[tuple[str, bool]]] = {}
    for arrow in view.arrows:
        words = f"✗ {arrow.label}" if arrow.fails else arrow.label
        here = there.setdefault(_place_of_label(arrow, placed, lanes), [])
        if (words, arrow.fails) not in here:
            here.append((words, arrow.fails))
    for (across, down), each in there.items():
        for index, (words, fails) in enumerate(each):
            yield (
                f"<text x='{across}' y='{down + _LINE * index + 4 * bool(index)}' font-size='11' "
                f"fill='{_ALARM if fails else _INK}' stroke='#ffffff' stroke-width='3' "
                f"paint-order='stroke'>{escape(words)}</text>"
            )


def _place_of_label(
    arrow: Arrow, placed: Mapping[Box, _Placed], lanes: Mapping[Arrow, int]
) -> tuple[int, int]:
    start, end = placed[arrow.source], placed[arrow.target]
    if arrow in lanes:
        return (start.right + end.left) // 2, lanes[arrow] + 4
    if start is end:
        return start.right - 60, start.top - 17
    if arrow.source.column == arrow.target.column:
        gap = min(start.bottom, end.bottom) + max(start.top, end.top)
        return start.left + _WIDTH // 2 + 8, gap // 2 + 4
    return start.right + 19, end.middle - 6


def mermaid(view: View) -> str:
    """Return the picture as a Mermaid flow chart."""
    names = {box: f"n{index}" for index, box in enumerate(view.boxes)}
    lines = ["flowchart LR"]
    lines += [
        f'  {names[box]}["{"<br/>".join(map(_quoted, (box.title, *box.lines)))}"]' for box in view.boxes
    ]
    for arrow in view.arrows:
        sign, cross = ("-.->", "✗ ") if arrow.fails else ("-->", "")
        lines.append(f'  {names[arrow.source]} {sign}|"{cross}{_quoted(arrow.ports)}"| {names[arrow.target]}')
    failing = [str(index) for index, arrow in enumerate(view.arrows) if arrow.fails]
    if failing:
        lines.append(f"  linkStyle {','.join(failing)} stroke:{_ALARM},stroke-width:3px")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as it may stand in quotes: what means something to Mermaid or HTML by its number."""
    return "".join(sign if sign.isalnum() or sign in " .-_:/,…()" else f"#{ord(sign)};" for sign in text)
