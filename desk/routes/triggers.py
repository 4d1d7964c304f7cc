"""Days that may raise tension."""

from fastapi import APIRouter

router = APIRouter()
