"""``python -m snn_synth.cli``, which is what the command of a sweep calls."""

import sys

from snn_synth.cli.entry import main

sys.exit(main())
