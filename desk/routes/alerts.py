"""Alerts: what went out, to whom, who has it, and how it ended."""

from fastapi import APIRouter

router = APIRouter()
