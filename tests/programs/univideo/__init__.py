"""What the driver of UniVideo imports, each as small as can be."""
