"""Footage to TFRecord shards to tf.data (Appendix D of the paper)."""
