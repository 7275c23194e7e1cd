"""transformers' families: vision, words, sound, and several of them at once."""

import configured_reading
import configured_seeing

MEMBERS = [*configured_seeing.MEMBERS, *configured_reading.MEMBERS]
