"""How often we were right, late or blind."""

from fastapi import APIRouter

router = APIRouter()
