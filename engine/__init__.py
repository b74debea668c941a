"""Image in, code out, picture back: inference, rendering, comparing. No widgets."""
