"""The paper's models: dVAE-Adv with its critics, and the priors with their encoders."""
