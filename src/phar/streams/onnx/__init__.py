"""Nets in ONNX files as streams: pictures or clips in, scores of their own labels mapped onto ours."""

from phar.streams.onnx.recognizer import OnnxRecognizer
from phar.streams.onnx.stream import OnnxStream

__all__ = ["OnnxRecognizer", "OnnxStream"]
