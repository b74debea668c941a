"""Taking pictures of the screen: geometry, handlers for each way to grab, the overlay."""
