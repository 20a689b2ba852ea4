"""Where the demo's source clips play."""

from __future__ import annotations

from sparkle_bench.synthetic.coast import Coast, coast
from sparkle_bench.synthetic.halls import show
from sparkle_bench.synthetic.hills import Valley, valley
from sparkle_bench.synthetic.layers import Wind
from sparkle_bench.synthetic.light import Light
from sparkle_bench.synthetic.plants import Meadow, meadow
from sparkle_bench.synthetic.rooms import Room, room
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.skyline import Skyline, skyline
from sparkle_bench.synthetic.stage import Setting
from sparkle_bench.synthetic.street import Street, street

_DAY = Light(gain=1.0, contrast=1.0, tint=(1.02, 1.0, 0.95))
_SOFT_DAY = Light(gain=0.98, contrast=0.92, tint=(1.0, 1.0, 1.0))
_OVERCAST = Light(gain=0.86, contrast=0.94, tint=(0.95, 1.0, 1.06))
_LAMP = Light(gain=0.72, contrast=0.95, tint=(1.18, 0.92, 0.64))
_DUSK = Light(gain=0.62, contrast=0.9, tint=(1.14, 0.86, 0.88))
_NEON = Light(gain=0.46, contrast=1.0, tint=(1.04, 0.8, 1.22))

_FAIR = Sky(colours=("4f95d6", "a9d3ee", "dff0f7"), clouds=("ffffff", "c9d3df"), cover=0.42, speed=14, height=104)
_SUNSET = Sky(colours=("4a4a86", "c0708a", "f6a868"), clouds=("f0a08c", "7a5484"), cover=0.4, speed=14, height=152)

SOURCES: dict[str, Setting] = {
    "park": Setting(
        light=_DAY,
        build=lambda: meadow(
            7,
            Meadow(
                sky=_FAIR,
                hills=("8db58a", "74a552"),
                grass=("2f6a24", "9fd05a"),
                wind=Wind(reach=6, rate=0.7),
                flowers=("f4f0fa", "f0a0c0", "f6d34a"),
                trees=((52, 66, 46), (334, 74, 40), (205, 98, 20)),
            ),
        ),
    ),
    "study": Setting(
        light=_LAMP,
        build=lambda: room(
            7,
            Room(
                wall=("7a4a3a", "6d4034"),
                wood="5a3520",
                floor="5a3822",
                outside=("141a34", "2a3050"),
                curtain="8a3a30",
                lamp="ffb45a",
                shade=0.55,
            ),
        ),
    ),
    "grey street": Setting(
        light=_OVERCAST,
        build=lambda: street(
            3,
            Street(
                sky=("b9c2ca", "d3d8dc"),
                walls=("a88f80", "8f959c", "b5a68c", "93807a"),
                panes=("6f8291", "f2d79a"),
                lit=0.08,
                road=("7d8084", "63676c"),
                cars=("a83a34", "e2e2de", "3e5f8a"),
            ),
        ),
    ),
    "theatre": Setting(light=_NEON, build=lambda: show(11, ("ff3fa8", "35a0ff", "8f5bff", "35e0c0"))),
    "beach": Setting(
        light=_DAY,
        build=lambda: coast(
            3,
            Coast(
                sky=Sky(
                    colours=("4f95d6", "a9d3ee", "dff0f7"), clouds=("ffffff", "c9d3df"), cover=0.5, speed=18, height=96
                ),
                sea=("12607f", "1f8fae", "4fc0cf", "c9f2ee"),
                foam="ffffff",
                sand=("e6d1a0", "f0dfb8"),
                power=0.7,
            ),
        ),
    ),
    "fireside": Setting(
        light=_LAMP,
        build=lambda: room(
            8,
            Room(
                wall=("6a5a40", "5c5038"),
                wood="6a4426",
                floor="5c3c26",
                outside=("1a2038", "303858"),
                curtain="5a6a48",
                lamp="ffae52",
                hearth=True,
                shade=0.55,
            ),
        ),
    ),
    "heath": Setting(
        light=_DAY,
        build=lambda: meadow(
            27,
            Meadow(
                sky=Sky(colours=("6aa8dc", "c2e0f0"), clouds=("ffffff", "d2d8e0"), cover=0.55, speed=22, height=112),
                hills=("a0a8bc", "9a8aa8", "8a9a68"),
                grass=("4a5c34", "c0c878"),
                wind=Wind(reach=8, rate=0.9, lean=4),
                flowers=("b878c0", "d8a0d8", "f0e0f4"),
                trees=((344, 92, 30),),
                leaves=("3a5230", "a0b060"),
            ),
        ),
    ),
    "grey lake": Setting(
        light=_OVERCAST,
        build=lambda: valley(
            12,
            Valley(
                sky=Sky(
                    colours=("8c98a4", "b4bec6", "ccd3d8"), clouds=("d8dde2", "8e99a4"), cover=0.7, speed=22, height=100
                ),
                ridges=("8d9aa2", "6f8088", "4d6058"),
                mist="cfd6da",
                thick=0.5,
                lake=("4c5c66", "6f818b", "93a3ab", "c4ced3"),
            ),
        ),
    ),
    "evening city": Setting(
        light=_DUSK,
        build=lambda: skyline(
            5,
            Skyline(
                sky=_SUNSET,
                towers=("7d5f84", "4a3a5c"),
                lamps=("ffd890", "ffc070"),
                lit=0.25,
                sea=("3a2f52", "6f4c70", "b87a7c", "e8a884"),
                shine="805c40",
            ),
        ),
    ),
    "office": Setting(
        light=_SOFT_DAY,
        build=lambda: room(
            9,
            Room(
                wall=("dfe6e4", "d3dcda"),
                wood="c79a66",
                floor="b98f66",
                outside=("7fbce8", "d8eefa"),
                curtain="f2efe6",
                shade=0.12,
            ),
        ),
    ),
    "evening beach": Setting(
        light=_DUSK,
        build=lambda: coast(
            23,
            Coast(
                sky=Sky(
                    colours=("54508a", "c07888", "f8b070"), clouds=("f4a890", "80588a"), cover=0.45, speed=16, height=98
                ),
                sea=("3c3458", "6a4c74", "b07c84", "f0b890"),
                foam="f4d8d0",
                sand=("7a6066", "6a5058"),
                power=0.6,
                lamp=(70, 84),
                shine="ffc088",
            ),
        ),
    ),
    "neon street": Setting(
        light=_NEON,
        build=lambda: street(
            44,
            Street(
                sky=("0c0a1c", "2a1c40"),
                walls=("2e2640", "222838", "38283c"),
                panes=("181824", "d0a05c"),
                lit=0.35,
                road=("262534", "181722"),
                cars=("4a3038", "303a58"),
                night=True,
                signs=("ff4fb0", "45d0ff", "ffb84a"),
            ),
        ),
    ),
}
"""Where the source clips play."""
