"""The structures of YOLO v5, v8 and 11 as plain modules, from their published block diagrams.

Widths and depths are a tenth of the real ones: what a file of theirs is made of is all here.
"""

from __future__ import annotations

from typing import Any

from members import Member, pictures

WIDE = (8, 16, 32)


def detector(version: int, masks: int = 0, chosen: bool = False) -> Any:
    import yolo_modules

    made = yolo_modules.Detector(version, WIDE, masks)
    return yolo_modules.Chosen(made) if chosen else made


def classifier() -> Any:
    import yolo_modules

    return yolo_modules.Classifier(WIDE)


MEMBERS = [
    Member("yolov5", lambda: detector(5), pictures(64)),
    Member("yolov8", lambda: detector(8), pictures(64), quick=True),
    Member("yolo11", lambda: detector(11), pictures(64)),
    Member("yolo11-seg", lambda: detector(11, masks=4), pictures(64)),
    Member("yolo12", lambda: detector(12), pictures(64)),
    Member("yolov8, its best boxes", lambda: detector(8, chosen=True), pictures(64)),
    Member("yolo11-cls", lambda: classifier(), pictures(64)),
]
