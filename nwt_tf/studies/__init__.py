"""Studies of the discrete code: Appendix A, and Memcodes beside other quantisers."""
