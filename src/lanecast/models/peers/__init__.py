"""Other packages' own pipelines, as references beside ours."""
