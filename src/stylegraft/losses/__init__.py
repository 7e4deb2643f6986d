"""The adversarial loss and its regularisers; networks and images are passed in, nothing is stored here."""
