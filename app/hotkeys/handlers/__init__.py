"""One module for each way to hear a key while another program has the focus."""
