"""What the detectors call a rise: tried on the past before it holds."""

from fastapi import APIRouter

router = APIRouter()
