"""The page on audiences: whom to address, how many they are, and what they are like."""
