"""The host agent: fetch the host's spec, compare with what runs, act, report. Imports nothing from services/."""
