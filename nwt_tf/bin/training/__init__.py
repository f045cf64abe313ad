"""The trainings: footage and codes (data_pipeline) to presets (nwt_tf)."""
