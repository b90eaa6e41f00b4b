"""A web page to try the trained networks on: ``snn-synth web``. Only ``app`` needs Gradio."""
