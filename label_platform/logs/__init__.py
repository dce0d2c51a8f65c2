"""Log formats, the record contract, quarantine, privacy and simulators."""
