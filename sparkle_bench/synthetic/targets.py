"""Where the demo's instructions want its clips to play."""

from __future__ import annotations

from sparkle_bench.synthetic.coast import Coast, coast
from sparkle_bench.synthetic.halls import hall
from sparkle_bench.synthetic.hills import Valley, canyon, valley
from sparkle_bench.synthetic.layers import Fall, Wind
from sparkle_bench.synthetic.light import Light
from sparkle_bench.synthetic.picture_book import picture_book
from sparkle_bench.synthetic.plants import Meadow, Wood, meadow, wood
from sparkle_bench.synthetic.sky import Sky
from sparkle_bench.synthetic.skyline import Skyline, skyline
from sparkle_bench.synthetic.stage import Setting
from sparkle_bench.synthetic.street import Street, street

TARGETS: dict[str, Setting] = {
    "storm": Setting(
        light=Light(gain=0.4, contrast=0.82, tint=(0.88, 0.98, 1.12)),
        build=lambda: coast(
            4,
            Coast(
                sky=Sky(
                    colours=("23282f", "3d4550", "6c6560"), clouds=("5d6670", "252b33"), cover=0.75, speed=46, height=96
                ),
                sea=("10191f", "1f3038", "3f565e", "9fb0b4"),
                foam="c3ccd0",
                sand=("3a3832", "2c2a26"),
                power=1.8,
                rain=True,
            ),
        ),
    ),
    "prairie": Setting(
        light=Light(gain=0.98, contrast=1.0, tint=(1.06, 1.0, 0.88)),
        build=lambda: meadow(
            6,
            Meadow(
                sky=Sky(
                    colours=("5ea3dc", "b7dcf0", "f2ead0"), clouds=("ffffff", "cdd3da"), cover=0.4, speed=20, height=112
                ),
                hills=("b9b98a", "c4ad62"),
                grass=("5c4212", "f8de8a"),
                wind=Wind(reach=17, rate=1.5, length=130, lean=12),
            ),
        ),
    ),
    "rainy neon street": Setting(
        light=Light(gain=0.46, contrast=1.0, tint=(1.04, 0.8, 1.22)),
        build=lambda: street(
            4,
            Street(
                sky=("0c0a1c", "231a3a"),
                walls=("2a2438", "1f2433", "332436", "24303a"),
                panes=("14141f", "c99a56"),
                lit=0.3,
                road=("23222f", "15141d"),
                cars=("30343f", "5a2430", "223050"),
                night=True,
                signs=("ff3fa8", "35e0ff", "ffb02e", "8f5bff", "ff4a4a"),
                rain=True,
            ),
        ),
    ),
    "snowy wood": Setting(
        light=Light(gain=0.96, contrast=0.86, tint=(0.97, 1.0, 1.05)),
        build=lambda: wood(
            8,
            Wood(
                depth=("c9d6e2", "dfe8f0", "eef3f7"),
                trunks=("9aa6b0", "4f4a48"),
                leaves=("8ea0ac", "f4f8fb"),
                ground=("e6eef4", "fafcff"),
                falling=Fall(count=120, colour="ffffff", velocity=(-14, 38), size=4, flutter=6),
                wind=Wind(reach=3, rate=0.5),
            ),
        ),
    ),
    "autumn wood": Setting(
        light=Light(gain=0.45, contrast=0.95, tint=(1.3, 0.9, 0.66)),
        build=lambda: wood(
            9,
            Wood(
                depth=("3a2430", "6b3a2a", "8a4e2c"),
                trunks=("4a2c24", "1c1210"),
                leaves=("3c1a10", "a8501a"),
                ground=("5c3018", "3a1e10"),
                falling=Fall(count=70, colour="d8802a", velocity=(-90, 70), size=5, flutter=18),
                wind=Wind(reach=9, rate=1.0),
            ),
        ),
    ),
    "blossom": Setting(
        light=Light(gain=1.0, contrast=0.9, tint=(1.04, 0.99, 0.97)),
        build=lambda: wood(
            10,
            Wood(
                depth=("d8ecf8", "f6eef2", "e8f4d8"),
                trunks=("a08a84", "5c463e"),
                leaves=("e08aae", "fff0f6"),
                ground=("a8d07c", "7cb858"),
                falling=Fall(count=70, colour="ffc4da", velocity=(-26, 34), size=4, flutter=14),
                wind=Wind(reach=4, rate=0.5),
                shafts="fff2c8",
            ),
        ),
    ),
    "moonlit sea": Setting(
        light=Light(gain=0.38, contrast=0.95, tint=(0.76, 0.94, 1.36)),
        build=lambda: coast(
            5,
            Coast(
                sky=Sky(
                    colours=("050b1c", "0d1a36", "22365c"), clouds=("2f4166", "121d38"), cover=0.25, speed=6, height=100
                ),
                sea=("040a18", "0a1730", "16294a", "2d4570"),
                foam="7f93b8",
                sand=("141b2a", "0e1420"),
                power=0.35,
                lamp=(285, 40),
                shine="cfe0ff",
            ),
        ),
    ),
    "blue hour": Setting(
        light=Light(gain=0.45, contrast=0.92, tint=(0.78, 0.95, 1.28)),
        build=lambda: skyline(
            6,
            Skyline(
                sky=Sky(
                    colours=("0d1a3f", "1f3a70", "4a6a9c"), clouds=("3f5a8c", "182a52"), cover=0.4, speed=10, height=152
                ),
                towers=("1d2c52", "101a36"),
                lamps=("ffdb8a", "ffe9b8", "ffb060"),
                lit=0.5,
                sea=("070f26", "10204a", "1d356c", "3f629c"),
                shine="b08a50",
            ),
        ),
    ),
    "misty valley": Setting(
        light=Light(gain=0.94, contrast=0.76, tint=(1.1, 1.0, 0.86)),
        build=lambda: valley(
            11,
            Valley(
                sky=Sky(
                    colours=("9fbfdc", "f2d9b0", "fbe8c4"), clouds=("fff6e2", "e8c8a0"), cover=0.3, speed=6, height=100
                ),
                ridges=("a9b5b4", "85998c", "5d7a62", "3f5e42"),
                mist="fff0d2",
                thick=0.8,
                sun=(270, 56),
            ),
        ),
    ),
    "torch-lit hall": Setting(
        light=Light(gain=0.5, contrast=0.98, tint=(1.34, 0.86, 0.52)),
        build=lambda: hall(10),
    ),
    "picture book": Setting(
        light=Light(gain=1.0, contrast=0.88, tint=(1.06, 0.98, 0.9)),
        build=lambda: picture_book(12),
    ),
    "canyon": Setting(
        light=Light(gain=1.0, contrast=1.06, tint=(1.08, 1.0, 0.88)),
        build=lambda: canyon(13),
        moves=False,
    ),
}
"""Where the instructions want them to play."""
