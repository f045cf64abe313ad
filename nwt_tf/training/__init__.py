"""Keras trainers of both stages with their schedules, callbacks and distribution."""
