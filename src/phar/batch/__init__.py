"""Many videos: which ones, what each needs, workers that no bad file takes along, and a catalogue."""
